//! A nanoGPT of today: rotary positions from tables that are plain fields, multi-query attention (Shazeer 2019,
//! arXiv:1911.02150), pre-normalization, a head without bias.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::{gelu, softmax};
use burnscape::optim::SamConfig;

use super::checklist::{Checklist, Door};
use super::fixture::{choices, drawn, stream};
use super::groups;

const WORDS: usize = 7;
const WIDTH: usize = 8;
const HEADS: usize = 2;
const HEAD: usize = WIDTH / HEADS;
const LENGTH: usize = 6;

#[derive(Module, Debug)]
struct Attention {
    query: Linear,
    /// One key and one value for all heads.
    key_value: Linear,
    output: Linear,
    /// `[length, head / 2]`: neither parameters nor buffers, plain tensors.
    cos: Tensor<2>,
    sin: Tensor<2>,
    /// Whether the tables are moved to the device of what they turn, as careful authors do.
    moves_tables: bool,
}

impl Attention {
    fn new(moves_tables: bool, device: &Device) -> Self {
        let half = HEAD / 2;
        let places = Tensor::<1, Int>::arange(0..LENGTH as i64, device).float();
        let pairs = Tensor::<1, Int>::arange(0..half as i64, device).float();
        let frequencies = (pairs * (-(10_000.0_f64.ln()) / half as f64)).exp();
        let angles = places.unsqueeze_dim::<2>(1) * frequencies.unsqueeze_dim::<2>(0);
        let layer = |to| LinearConfig::new(WIDTH, to).with_bias(false).init(device);
        Self {
            query: layer(WIDTH),
            key_value: layer(2 * HEAD),
            output: layer(WIDTH),
            cos: angles.clone().cos(),
            sin: angles.sin(),
            moves_tables,
        }
    }

    /// Turns pairs of coordinates of `[batch, heads, length, head]` by their place.
    fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, length, _] = x.dims();
        let table = |table: &Tensor<2>| {
            let rows = table.clone().slice([0..length, 0..HEAD / 2]);
            let rows = match self.moves_tables {
                true => rows.to_device(&x.device()),
                false => rows,
            };
            rows.unsqueeze::<4>()
        };
        let (cos, sin) = (table(&self.cos), table(&self.sin));
        let halves = x.chunk(2, 3);
        let (a, b) = (halves[0].clone(), halves[1].clone());
        let first = a.clone() * cos.clone() - b.clone() * sin.clone();
        let second = a * sin + b * cos;
        Tensor::cat(vec![first, second], 3)
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, length, _] = x.dims();
        let split =
            |x: Tensor<3>, heads: usize| x.reshape([batch, length, heads, HEAD]).swap_dims(1, 2);
        let query = self.rotate(split(self.query.forward(x.clone()), HEADS));
        let key_value = self.key_value.forward(x).chunk(2, 2);
        let key = self.rotate(split(key_value[0].clone(), 1));
        let value = split(key_value[1].clone(), 1);

        // The one key and value broadcast over the heads.
        let scores = query.matmul(key.transpose()) / (HEAD as f64).sqrt();
        let future = Tensor::<2, Bool>::tril_mask([length, length], 0, &scores.device());
        let scores = scores.mask_fill(future.unsqueeze::<4>(), f64::NEG_INFINITY);
        let context = softmax(scores, 3).matmul(value);
        let context = context.swap_dims(1, 2).reshape([batch, length, WIDTH]);
        self.output.forward(context)
    }
}

#[derive(Module, Debug)]
struct Block {
    norm1: LayerNorm,
    attention: Attention,
    norm2: LayerNorm,
    widen: Linear,
    narrow: Linear,
}

impl Block {
    fn new(moves_tables: bool, device: &Device) -> Self {
        Self {
            norm1: LayerNormConfig::new(WIDTH).init(device),
            attention: Attention::new(moves_tables, device),
            norm2: LayerNormConfig::new(WIDTH).init(device),
            widen: LinearConfig::new(WIDTH, 2 * WIDTH).init(device),
            narrow: LinearConfig::new(2 * WIDTH, WIDTH).init(device),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = x.clone() + self.attention.forward(self.norm1.forward(x));
        let hidden = gelu(self.widen.forward(self.norm2.forward(x.clone())));
        x + self.narrow.forward(hidden)
    }
}

#[derive(Module, Debug)]
struct Gpt {
    embedding: Embedding,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl Gpt {
    fn new(device: &Device) -> Self {
        Self::with_tables(false, device)
    }

    fn with_tables(moves_tables: bool, device: &Device) -> Self {
        let block = |_| Block::new(moves_tables, device);
        Self {
            embedding: EmbeddingConfig::new(WORDS, WIDTH).init(device),
            blocks: (0..2).map(block).collect(),
            norm: LayerNormConfig::new(WIDTH).init(device),
            head: LinearConfig::new(WIDTH, WORDS)
                .with_bias(false)
                .init(device),
        }
    }

    fn logits(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        let mut x = self.embedding.forward(tokens);
        for block in &self.blocks {
            x = block.forward(x);
        }
        self.head.forward(self.norm.forward(x))
    }
}

/// Each token is the target of those before it.
fn loss(model: &Gpt, tokens: Tensor<2, Int>) -> Tensor<1> {
    let [batch, length] = tokens.dims();
    let inputs = tokens.clone().slice([0..batch, 0..length - 1]);
    let targets = tokens.slice([0..batch, 1..length]);
    let logits = model.logits(inputs).reshape([batch * (length - 1), WORDS]);
    let criterion = CrossEntropyLossConfig::new().init(&logits.device());
    criterion.forward(logits, targets.reshape([batch * (length - 1)]))
}

fn data() -> [Tensor<2, Int>; 2] {
    let tokens = |count, phase| choices([count, LENGTH + 1], WORDS, phase);
    [tokens(3, 0.6), tokens(2, 40.6)]
}

#[test]
fn a_nano_gpt_goes_through_every_door() {
    Checklist::new(&Gpt::new, &loss, &data()).run();
}

#[test]
fn a_nano_gpt_that_moves_its_tables_goes_through_every_door() {
    let build = |device: &Device| Gpt::with_tables(true, device);
    Checklist::new(&build, &loss, &data()).run();
}

/// With an optimizer that remembers a gradient of its own.
#[test]
fn a_rebuilt_nano_gpt_takes_up_a_run_by_its_paths() {
    for sam in [SamConfig::new(), SamConfig::friendly_sam()] {
        Checklist::new(&Gpt::new, &loss, &data())
            .with_sam(sam)
            .run_doors(&[Door::ResumeRebuilt]);
    }
}

#[test]
fn the_groups_of_a_nano_gpt_are_those_of_its_architecture() {
    let _drawing = stream(3);
    let outputs = |model: &Gpt, tokens: &Tensor<2, Int>| {
        let [batch, length] = tokens.dims();
        model.logits(tokens.clone().slice([0..batch, 0..length - 1]))
    };
    let [batch, _] = data();
    groups::check(&drawn(Gpt::new), &outputs, batch, groups::NANO_GPT);
}
