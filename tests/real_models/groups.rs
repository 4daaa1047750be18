//! The groups of these models, counted by hand before any was found, and the check that these are found.

use std::fmt::Write as _;

use burn::module::Module;
use burn::tensor::{Bool, Int, Tensor, TensorData};
use burnscape::loss::{Batch, BatchMapper};
use burnscape::symmetry::{Symmetries, SymmetriesConfig};

/// How far outputs may differ that are the same but for rounding, relative to the largest number.
const TOLERANCE: f64 = 1e-9;

/// The size of a group, the sizes of its parents, and the number of its members.
pub(crate) type Known = (usize, &'static [usize], usize);

/// The outputs are the logits.
pub(crate) const RESNET: &[Known] = &[
    // The first stream: conv1.weight 0, bn1 (4); two blocks with conv1.weight 1, conv2.weight 0 and bn2 (4); the next
    // stage reads it by conv1.weight 1 and downsample.conv.weight 1.
    (2, &[], 5 + 2 * 6 + 2),
    // The next two: conv2.weight 0, bn2 (4), downsample.conv.weight 0, downsample.bn (4); the second block; the next
    // stage.
    (3, &[], 10 + 6 + 2),
    (4, &[], 10 + 6 + 2),
    // The last: the same, and fc.weight 0.
    (5, &[], 10 + 6 + 1),
    // Within each of the eight blocks: conv1.weight 0, bn1 (4), conv2.weight 1.
    (2, &[], 6),
    (2, &[], 6),
    (3, &[], 6),
    (3, &[], 6),
    (4, &[], 6),
    (4, &[], 6),
    (5, &[], 6),
    (5, &[], 6),
];

/// A layer of Burn's encoder: heads, what they compare, what they pass on, and the units between, of which there are 12,
/// 10, or 16.
macro_rules! encoder {
    ($stream:expr, $hidden:expr) => {
        &[
            (8, &[], $stream),
            (2, &[], 7),
            (4, &[2], 4),
            (4, &[2], 3),
            ($hidden, &[], 3),
            (2, &[], 7),
            (4, &[2], 4),
            (4, &[2], 3),
            ($hidden, &[], 3),
        ]
    };
}

/// The outputs are the logits. Two layers with 12 members of the stream each, both embeddings, output.weight 0.
pub(crate) const TEXT_CLASSIFICATION: &[Known] = encoder!(2 * 12 + 2 + 1, 12);

/// The outputs are the logits.
pub(crate) const TEXT_GENERATION: &[Known] = encoder!(2 * 12 + 2 + 1, 10);

/// The outputs are the logits. patches.weight 0, patches.bias, class_token 2, positions 2; two layers; norm (2),
/// head.weight 0.
pub(crate) const VISION_TRANSFORMER: &[Known] = encoder!(4 + 2 * 12 + 2 + 1, 16);

/// The outputs are the logits, of either form: the embedding's weight 1, hidden.weight 0 and 1, hidden.bias.
pub(crate) const TIED_EMBEDDING: &[Known] = &[(4, &[], 4)];

/// The outputs are the logits. Of a double convolution there is one group between (conv1.weight 0 and bias, norm1 (4),
/// conv2.weight 1), and one that comes out (conv2.weight 0 and bias, norm2 (4), and who reads it).
pub(crate) const UNET: &[Known] = &[
    // down1: its output is read by down2 and join1.
    (2, &[], 7),
    (2, &[], 6 + 2),
    // down2: its output is read by bottom and join2.
    (3, &[], 7),
    (3, &[], 6 + 2),
    // bottom: its output is read by up2.
    (4, &[], 7),
    (4, &[], 6 + 1),
    // up2: weight 1, bias, a part of join2.conv1.weight 1.
    (3, &[], 3),
    // join2: its output is read by up1.
    (3, &[], 7),
    (3, &[], 6 + 1),
    // up1: weight 1, bias, a part of join1.conv1.weight 1.
    (2, &[], 3),
    // join1: its output is read by the head.
    (2, &[], 7),
    (2, &[], 6 + 1),
];

/// The outputs are the decoded logits, of a code with noise from the batch, which pins the code.
pub(crate) const VAE: &[Known] = &[
    // encoder.weight 1, encoder.bias, mean.weight 0, log_variance.weight 0.
    (6, &[], 4),
    // decoder.weight 1, decoder.bias, output.weight 0.
    (6, &[], 3),
];

/// The outputs are the predicted noise.
pub(crate) const DIFFUSION: &[Known] = &[
    // Groups, and channels within them: time.weight 1, time.bias, first.weight 0, first.bias, norm (2), last.weight 1.
    (2, &[], 7),
    (2, &[2], 7),
];

/// The outputs are the values of the policy alone; the target is not read.
pub(crate) const DQN: &[Known] = &[(6, &[], 3), (6, &[], 3)];

/// The outputs of the critic, from images.
pub(crate) const CRITIC: &[Known] = &[(6, &[], 3), (4, &[], 3)];

/// The images of the generator: fc.weight 1 and bias, bn (4), and weight 0 of the next layer.
pub(crate) const GENERATOR: &[Known] = &[(5, &[], 7), (6, &[], 7)];

/// In both directions: two cells each. Of four gates in one matrix: weight_ih.weight 1 and bias, weight_hh.weight 1 and
/// bias, norm_x (2), in four blocks each; weight_hh.weight 0, norm_h (2), norm_c (2); and weight_ih.weight 0 of the next
/// cell, or a half of fc.weight 0.
pub(crate) const MODERN_LSTM: &[Known] = &[
    (3, &[], 6 * 4 + 5 + 1),
    (3, &[], 6 * 4 + 5 + 1),
    (3, &[], 6 * 4 + 5 + 1),
    (3, &[], 6 * 4 + 5 + 1),
];

/// The outputs are the logits. Per block: heads, what the one value passes on, units.
pub(crate) const NANO_GPT: &[Known] = &[
    // embedding.weight 1; per block norm1 (2), query.weight 0, key_value.weight 0, output.weight 1, norm2 (2),
    // widen.weight 0, narrow.weight 1 and bias; norm (2), head.weight 0.
    (8, &[], 1 + 2 * 10 + 2 + 1),
    // Heads: query.weight 1 in two blocks, as rotations cut each head in two, and output.weight 0.
    (2, &[], 3),
    (2, &[], 3),
    // All heads share one value, whose numbers are therefore not within them: the second half of key_value.weight 1,
    // output.weight 0.
    (4, &[], 2),
    (4, &[], 2),
    (16, &[], 3),
    (16, &[], 3),
];

/// A size, the sizes of the parents in ascending order, and a number of members.
type Counted = (usize, Vec<usize>, usize);

/// The groups of the model are the known ones, and a random element leaves its outputs as they are.
pub(crate) fn check<M: Module, B: Batch, T: Batch>(
    model: &M,
    outputs: &impl Fn(&M, &B) -> T,
    batch: B,
    known: &[Known],
) {
    let symmetries = SymmetriesConfig::new()
        .run(outputs, model, batch.clone())
        .expect("symmetries");
    let listed = listing(&symmetries);
    assert!(symmetries.dropped().is_empty(), "dropped\n{listed}");
    let known = known
        .iter()
        .map(|&(size, parents, members)| counted(size, parents.to_vec(), members));
    let known = sorted(known);
    assert_eq!(found(&symmetries), known, "\n{listed}");

    // The first that moves anything.
    let element = (3..9)
        .map(|seed| symmetries.random(seed))
        .find(|element| *element != symmetries.identity())
        .expect("an element that moves something");
    let moved = element.apply(model).expect("a model");
    let numbers = |model: &M| Numbers::of(outputs(&model.valid(), &batch));
    numbers(model).assert_same(&numbers(&moved));
}

fn counted(size: usize, mut parents: Vec<usize>, members: usize) -> Counted {
    parents.sort_unstable();
    (size, parents, members)
}

fn sorted(groups: impl Iterator<Item = Counted>) -> Vec<Counted> {
    let mut groups: Vec<Counted> = groups.collect();
    groups.sort();
    groups
}

fn found(symmetries: &Symmetries) -> Vec<Counted> {
    let groups = symmetries.groups();
    sorted(groups.iter().map(|group| {
        let parents = group.parents().iter();
        let parents = parents.map(|&parent| groups[parent].size()).collect();
        counted(group.size(), parents, group.members().len())
    }))
}

/// Every group with its members, what is fixed, and what was dropped.
fn listing(symmetries: &Symmetries) -> String {
    let mut text = String::new();
    for (index, group) in symmetries.groups().iter().enumerate() {
        let (size, parents) = (group.size(), group.parents());
        let _ = writeln!(text, "group {index}: {size} within {parents:?}");
        for member in group.members() {
            let (axis, offset, stride) = (member.axis, member.offset, member.stride);
            let _ = writeln!(text, "  {} {axis}, {offset} + {stride} i", member.path);
        }
    }
    for fixed in symmetries.fixed() {
        let (axis, offset, size) = (fixed.axis, fixed.offset, fixed.size);
        let (path, reason) = (&fixed.path, &fixed.reason);
        let _ = writeln!(text, "fixed: {path} {axis}, {size} from {offset}: {reason}");
    }
    for dropped in symmetries.dropped() {
        let _ = writeln!(text, "dropped: {dropped}");
    }
    text
}

/// What a model answers.
#[derive(Default)]
struct Numbers {
    floats: Vec<Vec<f64>>,
    /// Integers and Booleans.
    others: Vec<TensorData>,
}

impl Numbers {
    fn of<T: Batch>(outputs: T) -> Self {
        let mut numbers = Self::default();
        let _ = outputs.map_tensors(&mut numbers);
        numbers
    }

    /// Floats but for rounding, others exactly.
    fn assert_same(&self, other: &Self) {
        assert_eq!(self.others, other.others);
        assert_eq!(self.floats.len(), other.floats.len());
        for (a, b) in self.floats.iter().zip(&other.floats) {
            assert_eq!(a.len(), b.len());
            let size = a.iter().fold(0.0_f64, |all, x| all.max(x.abs()));
            assert!(size > 0.0 && size.is_finite(), "nothing to compare: {size}");
            let gaps = a.iter().zip(b).map(|(x, y)| (x - y).abs() / size);
            // What is not a number counts as the largest.
            let gap = gaps.max_by(f64::total_cmp).expect("numbers");
            assert!(gap <= TOLERANCE, "off by {gap:e}");
        }
    }
}

impl BatchMapper for Numbers {
    fn map_float<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
        let data = tensor.clone().into_data();
        self.floats.push(data.iter::<f64>().collect());
        tensor
    }

    fn map_int<const D: usize>(&mut self, tensor: Tensor<D, Int>) -> Tensor<D, Int> {
        self.others.push(tensor.clone().into_data());
        tensor
    }

    fn map_bool<const D: usize>(&mut self, tensor: Tensor<D, Bool>) -> Tensor<D, Bool> {
        self.others.push(tensor.clone().into_data());
        tensor
    }
}
