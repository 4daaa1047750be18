//! Which parameters a repair scales and shifts, and why it leaves others.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use burnscape::loss::Batch;
use burnscape::merge::RepairConfig;

use super::repair::is_restored;
use crate::element::device;
use crate::symmetry::zoo::{self, RootMeanSquare, Specimen, numbers, scattered};

const SEED: u64 = 79;

const OUTPUTS: &str = "no group permutes the channels of its layer";
const NORMALIZED: &str = "the normalization behind its layer is repaired instead";
const NO_LAYER: &str = "it is not recognized to scale or shift the channels of a layer";

/// A layer by what scales and what shifts it.
type Scaled = (String, Option<String>);

/// A weight with its bias.
fn affine(path: &str) -> Scaled {
    (format!("{path}.weight"), Some(format!("{path}.bias")))
}

/// The gain and the shift of a normalization.
fn norm(path: &str) -> Scaled {
    (format!("{path}.gamma"), Some(format!("{path}.beta")))
}

/// A parameter without a shift.
fn plain(path: &str) -> Scaled {
    (path.to_string(), None)
}

/// These layers are repaired, these parameters are left, and no parameter of a group is in neither list.
fn has<M: Module, B: Batch, const R: usize>(
    net: &Specimen<M, B, R>,
    layers: &[Scaled],
    left: &[(&str, &str)],
) {
    let (name, model) = (net.name, &net.model);
    let data = [net.batch.clone()];
    let found = RepairConfig::new().run(&net.outputs, &data, model, model, model, 0.5);
    let report = found.expect(name).report;
    assert!(report.completed, "{name}");
    let found: Vec<Scaled> = report
        .layers
        .iter()
        .map(|layer| {
            assert_eq!(layer.scale.len(), 1, "{name}: {layer:?}");
            (layer.scale[0].clone(), layer.shift.clone())
        })
        .collect();
    assert_eq!(found, layers, "{name}");
    let left: BTreeMap<String, String> = left
        .iter()
        .map(|(path, why)| (path.to_string(), why.to_string()))
        .collect();
    assert_eq!(report.left, left, "{name}");

    let mut listed: BTreeSet<&str> = report.left.keys().map(String::as_str).collect();
    for (scale, shift) in &found {
        listed.insert(scale);
        listed.extend(shift.as_deref());
    }
    let symmetries = net.symmetries();
    for member in symmetries.groups().iter().flat_map(|group| group.members()) {
        let is_listed = listed.contains(member.path.as_str());
        assert!(
            is_listed || member.path.contains("running"),
            "{name}: {member}"
        );
    }
}

#[test]
fn layers_of_perceptrons_are_their_weights_and_biases() {
    let device = device();
    has(
        &zoo::mlp(&device, SEED),
        &[affine("first"), affine("second")],
        &[("last.weight", OUTPUTS)],
    );
    has(
        &zoo::autoencoder(&device, SEED),
        &[affine("encoder"), affine("inner"), affine("outer")],
        &[("decoder.weight", OUTPUTS)],
    );
    // The decoder reads the weight that the encoder scales.
    has(
        &zoo::tied_autoencoder(&device, SEED),
        &[affine("encoder"), affine("inner"), affine("outer")],
        &[],
    );
    has(
        &zoo::experts(&device, SEED),
        &[
            affine("stem"),
            plain("gate"),
            plain("inner"),
            plain("outer"),
        ],
        &[("head.weight", OUTPUTS)],
    );
    has(
        &zoo::quantized(&device, SEED),
        &[affine("first"), affine("mix")],
        &[
            ("scores.weight", OUTPUTS),
            ("codes.weight", NO_LAYER),
            ("head.weight", OUTPUTS),
        ],
    );
}

#[test]
fn a_normalization_stands_for_the_convolution_before_it() {
    let device = device();
    has(
        &zoo::cnn(&device, SEED),
        &[norm("norm1"), norm("norm2"), affine("hidden")],
        &[
            ("conv1.weight", NORMALIZED),
            ("conv1.bias", NORMALIZED),
            ("conv2.weight", NORMALIZED),
            ("conv2.bias", NORMALIZED),
            ("head.weight", OUTPUTS),
        ],
    );
    has(
        &zoo::depthwise(&device, SEED),
        &[0, 1, 2, 3, 4].map(|layer| norm(&format!("norms.{layer}"))),
        &[
            ("convs.0.weight", NORMALIZED),
            ("convs.1.weight", NORMALIZED),
            ("convs.2.weight", NORMALIZED),
            ("convs.3.weight", NORMALIZED),
            ("convs.4.weight", NORMALIZED),
            ("head.weight", OUTPUTS),
        ],
    );
    has(
        &zoo::residual(false, &device, SEED),
        &[
            "norm",
            "blocks.0.norm1",
            "blocks.0.norm2",
            "blocks.1.norm1",
            "blocks.1.norm2",
            "blocks.1.shortcut.norm",
            "blocks.2.norm1",
            "blocks.2.norm2",
        ]
        .map(norm),
        &[
            ("stem.weight", NORMALIZED),
            ("blocks.0.conv1.weight", NORMALIZED),
            ("blocks.0.conv2.weight", NORMALIZED),
            ("blocks.1.conv1.weight", NORMALIZED),
            ("blocks.1.conv2.weight", NORMALIZED),
            ("blocks.1.shortcut.conv.weight", NORMALIZED),
            ("blocks.2.conv1.weight", NORMALIZED),
            ("blocks.2.conv2.weight", NORMALIZED),
            ("head.weight", OUTPUTS),
        ],
    );
}

#[test]
fn a_stream_that_a_normalization_reads_stays_a_layer() {
    let device = device();
    has(
        &zoo::residual(true, &device, SEED),
        &[
            plain("stem.weight"),
            norm("blocks.0.norm1"),
            norm("blocks.0.norm2"),
            plain("blocks.0.conv2.weight"),
            norm("blocks.1.norm1"),
            plain("blocks.1.shortcut.conv.weight"),
            norm("blocks.1.norm2"),
            plain("blocks.1.conv2.weight"),
            norm("blocks.2.norm1"),
            norm("blocks.2.norm2"),
            plain("blocks.2.conv2.weight"),
            norm("norm"),
        ],
        &[
            ("blocks.0.conv1.weight", NORMALIZED),
            ("blocks.1.conv1.weight", NORMALIZED),
            ("blocks.2.conv1.weight", NORMALIZED),
            ("head.weight", OUTPUTS),
        ],
    );
    has(
        &zoo::gated(&device, SEED),
        &[
            affine("stem"),
            norm("norm"),
            affine("gate.linear_inner"),
            affine("gate.linear_outer"),
            affine("down"),
        ],
        &[("head.weight", OUTPUTS)],
    );
}

#[test]
fn a_normalization_that_is_written_out_is_a_layer_beside_the_product() {
    let device = device();
    has(
        &zoo::group_norm(&device, SEED),
        &[affine("stem"), norm("norm1"), affine("conv"), norm("norm2")],
        &[("head.weight", OUTPUTS)],
    );
    let net = Specimen {
        name: "root mean square",
        model: scattered(&RootMeanSquare::new(&device), SEED),
        batch: numbers([4, 3], SEED, &device),
        outputs: RootMeanSquare::outputs,
        expected: Vec::new(),
    };
    has(
        &net,
        &[
            affine("embed"),
            plain("first.gamma"),
            affine("widen"),
            affine("narrow"),
            plain("last.gamma"),
        ],
        &[("head.weight", OUTPUTS)],
    );
}

#[test]
fn layers_of_joined_channels_are_scaled_together() {
    let device = device();
    has(
        &zoo::grouped(&device, SEED),
        &[affine("narrow"), affine("grouped"), affine("widen")],
        &[("head.weight", OUTPUTS)],
    );
    has(
        &zoo::u_net(&device, SEED),
        &["down1", "down2", "bottom", "up2", "join2", "up1", "join1"].map(affine),
        &[("head.weight", OUTPUTS)],
    );
    has(
        &zoo::dense_net(&device, SEED),
        &[
            affine("stem"),
            norm("norms.0"),
            affine("convs.0"),
            norm("norms.1"),
            affine("convs.1"),
            norm("norms.2"),
            affine("convs.2"),
        ],
        &[("head.weight", OUTPUTS)],
    );
}

#[test]
fn embeddings_are_left() {
    let device = device();
    // One block of an encoder, before and after its norms.
    let block = |layer: usize, is_norm_first: bool| -> Vec<Scaled> {
        let path = |name: &str| format!("encoder.layers.{layer}.{name}");
        let attention = ["query", "key", "value", "output"];
        let attention = attention.map(|name| affine(&path(&format!("mha.{name}"))));
        let forward = ["linear_inner", "linear_outer"];
        let forward = forward.map(|name| affine(&path(&format!("pwff.{name}"))));
        let [norm_1, norm_2] = ["norm_1", "norm_2"].map(|name| norm(&path(name)));
        let mut layers = Vec::new();
        if is_norm_first {
            layers.push(norm_2.clone());
        }
        layers.extend(attention);
        layers.push(norm_1);
        layers.extend(forward);
        if !is_norm_first {
            layers.push(norm_2);
        }
        layers
    };
    for is_norm_first in [true, false] {
        let layers = [block(0, is_norm_first), block(1, is_norm_first)].concat();
        has(
            &zoo::encoder(is_norm_first, &device, SEED),
            &layers,
            &[("embedding.weight", NO_LAYER), ("head.weight", OUTPUTS)],
        );
    }
    // It is the head, too.
    has(
        &zoo::tied_embedding(&device, SEED),
        &[
            norm("norm1"),
            affine("widen"),
            affine("narrow"),
            norm("norm2"),
        ],
        &[("embedding.weight", OUTPUTS)],
    );
    has(
        &zoo::learned_positions(&device, SEED),
        &[
            norm("norm1"),
            affine("attention.projections.0"),
            affine("attention.projections.1"),
            affine("attention.projections.2"),
            affine("attention.output"),
            norm("norm2"),
            affine("widen"),
            affine("narrow"),
            norm("norm"),
        ],
        &[
            ("embedding.weight", NO_LAYER),
            ("learned", NO_LAYER),
            ("head.weight", OUTPUTS),
        ],
    );
}

#[test]
fn recurrent_weights_are_layers() {
    let gates = ["input", "forget", "output", "cell"];
    let of = |part: &str| gates.map(|gate| affine(&format!("layers.0.{gate}_gate.{part}")));
    // The first hidden state is zero, whatever the batch.
    let layers = [of("input_transform"), of("hidden_transform")].concat();
    has(
        &zoo::lstm(&device(), SEED),
        &layers,
        &[("head.weight", OUTPUTS)],
    );
}

/// Weights on the left of what they are multiplied with.
#[derive(Module, Debug)]
struct Columns {
    inner: Param<Tensor<2>>,
    outer: Param<Tensor<2>>,
}

impl Columns {
    fn outputs(&self, x: &Tensor<3>) -> Tensor<3> {
        let inner = self.inner.val().unsqueeze::<3>();
        let outer = self.outer.val().unsqueeze::<3>();
        outer.matmul(relu(inner.matmul(x.clone())))
    }
}

fn weight<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    Param::from_tensor(Tensor::zeros(shape, device))
}

#[test]
fn weights_on_the_left_are_layers() {
    let device = device();
    let net = Columns {
        inner: weight([6, 3], &device),
        outer: weight([2, 6], &device),
    };
    let net = Specimen {
        name: "weights on the left",
        model: scattered(&net, SEED),
        batch: numbers([4, 3, 5], SEED, &device),
        outputs: Columns::outputs,
        expected: Vec::new(),
    };
    has(&net, &[plain("inner")], &[("outer", OUTPUTS)]);
    is_restored(&net);
}

/// Weights that scale no channels one by one: one that is computed, and two that are halves of one parameter, each as
/// large as its input.
#[derive(Module, Debug)]
struct Indirect {
    computed: Param<Tensor<2>>,
    halves: Param<Tensor<2>>,
    last: Linear,
}

impl Indirect {
    fn outputs(&self, x: &Tensor<2>) -> Tensor<2> {
        let computed = relu(x.clone().matmul(self.computed.val().tanh()));
        let half = |from: usize| x.clone().matmul(self.halves.val().narrow(1, from, 4));
        let product = half(0).tanh() * half(4);
        self.last.forward(Tensor::cat(vec![computed, product], 1))
    }
}

#[test]
fn weights_that_are_computed_or_cut_are_left() {
    let device = device();
    let net = Indirect {
        computed: weight([4, 5], &device),
        halves: weight([4, 8], &device),
        last: LinearConfig::new(9, 2).init(&device),
    };
    let net = Specimen {
        name: "indirect weights",
        model: scattered(&net, SEED),
        batch: numbers([6, 4], SEED, &device),
        outputs: Indirect::outputs,
        expected: Vec::new(),
    };
    has(
        &net,
        &[],
        &[
            ("computed", NO_LAYER),
            ("halves", NO_LAYER),
            ("last.weight", OUTPUTS),
        ],
    );
}
