//! Attention written out: from one matrix in three ways, grouped queries, rotations; and positions.

use burn::module::{Module, Param};
use burn::nn::{
    Embedding, EmbeddingConfig, Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig,
    PositionalEncoding, PositionalEncodingConfig, RotaryEncoding, RotaryEncodingConfig,
};
use burn::tensor::activation::{gelu, softmax};
use burn::tensor::{Device, Int, Tensor};

use super::specimen::{Expected, Specimen, group};
use super::values::{scattered, tokens};

const WORDS: usize = 6;
const LENGTH: usize = 4;
const WIDTH: usize = 10;
const HEADS: usize = 3;
/// Heads of keys and values, and heads of queries for each of them, where they are grouped.
const KEY_HEADS: usize = 2;
const QUERIES: usize = 3;
/// The width of a query or key, and of a value.
const KEY: usize = 4;
const VALUE: usize = 5;
const HIDDEN: usize = 7;

/// How queries, keys and values come about.
#[derive(Debug, Clone, Copy)]
enum Layout {
    /// From three matrices.
    Separate,
    /// From three matrices, with fewer keys and values than queries.
    Grouped,
    /// From slices of the columns of one matrix.
    Slices,
    /// From one matrix as `[3, heads, key]`; values are as wide as keys.
    Stacked,
    /// From one matrix as `[heads, key + key + value]`, cut inside each head.
    InsideHeads,
}

#[derive(Module, Debug)]
struct Attention {
    projections: Vec<Linear>,
    output: Linear,
    rotary: Option<RotaryEncoding>,
    #[module(skip)]
    layout: Layout,
}

impl Attention {
    fn new(layout: Layout, is_rotary: bool, device: &Device) -> Self {
        let layer = |to: usize| LinearConfig::new(WIDTH, to).init(device);
        let queries = KEY_HEADS * QUERIES;
        let (projections, context) = match layout {
            Layout::Separate => (
                vec![layer(HEADS * KEY), layer(HEADS * KEY), layer(HEADS * VALUE)],
                HEADS * VALUE,
            ),
            Layout::Grouped => (
                vec![
                    layer(queries * KEY),
                    layer(KEY_HEADS * KEY),
                    layer(KEY_HEADS * VALUE),
                ],
                queries * VALUE,
            ),
            Layout::Slices | Layout::InsideHeads => {
                (vec![layer(HEADS * (KEY + KEY + VALUE))], HEADS * VALUE)
            }
            Layout::Stacked => (vec![layer(3 * HEADS * KEY)], HEADS * KEY),
        };
        Self {
            projections,
            output: LinearConfig::new(context, WIDTH).init(device),
            rotary: is_rotary.then(|| RotaryEncodingConfig::new(LENGTH, KEY).init(device)),
            layout,
        }
    }

    /// Queries, keys and values, `[batch, heads, length, width]`.
    fn parts(&self, x: &Tensor<3>) -> [Tensor<4>; 3] {
        let [batch, length, _] = x.dims();
        let split = |y: Tensor<3>, heads: usize, width: usize| -> Tensor<4> {
            y.reshape([batch, length, heads, width]).swap_dims(1, 2)
        };
        let y = self.projections[0].forward(x.clone());
        match self.layout {
            Layout::Separate => {
                let key = self.projections[1].forward(x.clone());
                let value = self.projections[2].forward(x.clone());
                [
                    split(y, HEADS, KEY),
                    split(key, HEADS, KEY),
                    split(value, HEADS, VALUE),
                ]
            }
            Layout::Grouped => {
                let key = self.projections[1].forward(x.clone());
                let value = self.projections[2].forward(x.clone());
                [
                    split(y, KEY_HEADS * QUERIES, KEY),
                    for_every_query(split(key, KEY_HEADS, KEY)),
                    for_every_query(split(value, KEY_HEADS, VALUE)),
                ]
            }
            Layout::Slices => {
                let keys = HEADS * KEY;
                let values = HEADS * VALUE;
                [
                    split(y.clone().narrow(2, 0, keys), HEADS, KEY),
                    split(y.clone().narrow(2, keys, keys), HEADS, KEY),
                    split(y.narrow(2, 2 * keys, values), HEADS, VALUE),
                ]
            }
            Layout::Stacked => {
                let stacked = y
                    .reshape([batch, length, 3, HEADS, KEY])
                    .permute([2, 0, 3, 1, 4]);
                [0_usize, 1, 2].map(|part| stacked.clone().narrow(0, part, 1).squeeze_dim::<4>(0))
            }
            Layout::InsideHeads => {
                let all = split(y, HEADS, KEY + KEY + VALUE);
                [
                    all.clone().narrow(3, 0, KEY),
                    all.clone().narrow(3, KEY, KEY),
                    all.narrow(3, 2 * KEY, VALUE),
                ]
            }
        }
    }

    fn forward(&self, x: &Tensor<3>) -> Tensor<3> {
        let [query, key, value] = self.parts(x);
        let (query, key) = match &self.rotary {
            Some(rotary) => (rotary.forward(query), rotary.forward(key)),
            None => (query, key),
        };
        let scores = query.matmul(key.transpose()) / (KEY as f64).sqrt();
        let context = softmax(scores, 3).matmul(value);
        let [batch, heads, length, width] = context.dims();
        let context = context
            .swap_dims(1, 2)
            .reshape([batch, length, heads * width]);
        self.output.forward(context)
    }
}

/// Every key or value once for each query of its group.
fn for_every_query(x: Tensor<4>) -> Tensor<4> {
    let [batch, heads, length, width] = x.dims();
    x.unsqueeze_dim::<5>(2)
        .expand([batch, heads, QUERIES, length, width])
        .reshape([batch, heads * QUERIES, length, width])
}

/// Where the places of words come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Positions {
    None,
    Learned,
    Constant,
}

/// One block of a transformer, normalized first.
#[derive(Module, Debug)]
pub(crate) struct Language {
    embedding: Embedding,
    learned: Option<Param<Tensor<2>>>,
    constant: Option<PositionalEncoding>,
    norm1: LayerNorm,
    attention: Attention,
    norm2: LayerNorm,
    widen: Linear,
    narrow: Linear,
    norm: LayerNorm,
    head: Linear,
}

impl Language {
    fn new(layout: Layout, is_rotary: bool, positions: Positions, device: &Device) -> Self {
        let norm = || LayerNormConfig::new(WIDTH).init(device);
        let normal = Initializer::Normal {
            mean: 0.0,
            std: 1.0,
        };
        let learned = positions == Positions::Learned;
        let constant = positions == Positions::Constant;
        Self {
            embedding: EmbeddingConfig::new(WORDS, WIDTH).init(device),
            learned: learned.then(|| normal.init([LENGTH, WIDTH], device)),
            constant: constant.then(|| {
                PositionalEncodingConfig::new(WIDTH)
                    .with_max_sequence_size(LENGTH)
                    .init(device)
            }),
            norm1: norm(),
            attention: Attention::new(layout, is_rotary, device),
            norm2: norm(),
            widen: LinearConfig::new(WIDTH, HIDDEN).init(device),
            narrow: LinearConfig::new(HIDDEN, WIDTH).init(device),
            norm: norm(),
            head: LinearConfig::new(WIDTH, WORDS).init(device),
        }
    }

    fn outputs(&self, words: &Tensor<2, Int>) -> Tensor<3> {
        let mut x = self.embedding.forward(words.clone());
        if let Some(learned) = &self.learned {
            x = x + learned.val().unsqueeze::<3>();
        }
        if let Some(constant) = &self.constant {
            x = constant.forward(x);
        }
        let x = x.clone() + self.attention.forward(&self.norm1.forward(x));
        let hidden = gelu(self.widen.forward(self.norm2.forward(x.clone())));
        let x = x + self.narrow.forward(hidden);
        self.head.forward(self.norm.forward(x))
    }
}

type Words = Tensor<2, Int>;

fn language(
    name: &'static str,
    model: &Language,
    mut expected: Vec<Expected>,
    device: &Device,
    seed: u64,
) -> Specimen<Language, Words, 3> {
    // widen.weight 1, widen.bias, narrow.weight 0.
    expected.push(group(HIDDEN, &[], 3));
    Specimen {
        name,
        model: scattered(model, seed),
        batch: tokens([2, LENGTH], WORDS, seed + 1, device),
        outputs: Language::outputs,
        expected,
    }
}

/// What has an axis of the residual stream but for the inputs of the attention: embedding.weight 1, norm1 (2),
/// output.weight 1 and bias, norm2 (2), widen.weight 0, narrow.weight 1 and bias, norm (2), head.weight 0.
const STREAM: usize = 1 + 2 + 2 + 2 + 1 + 2 + 2 + 1;

/// Heads, compared by `KEY` numbers, that pass on `value`: whether from three matrices or from three blocks of one,
/// there are three blocks of weights and of biases, and one of output.weight 0.
fn heads(count: usize, value: usize) -> [Expected; 3] {
    [
        // Queries, keys and values, with biases, and output.weight 0.
        group(count, &[], 3 * 2 + 1),
        // Queries and keys, with biases.
        group(KEY, &[count], 2 * 2),
        // Values, with biases, and output.weight 0.
        group(value, &[count], 3),
    ]
}

fn fused(
    name: &'static str,
    layout: Layout,
    value: usize,
    device: &Device,
    seed: u64,
) -> Specimen<Language, Words, 3> {
    let model = Language::new(layout, false, Positions::None, device);
    let mut expected = heads(HEADS, value).to_vec();
    // The stream, and axis 0 of the one matrix.
    expected.push(group(WIDTH, &[], STREAM + 1));
    language(name, &model, expected, device, seed)
}

pub(crate) fn fused_slices(device: &Device, seed: u64) -> Specimen<Language, Words, 3> {
    fused("QKV, slices", Layout::Slices, VALUE, device, seed)
}

pub(crate) fn fused_stacked(device: &Device, seed: u64) -> Specimen<Language, Words, 3> {
    fused("QKV, [3, heads, key]", Layout::Stacked, KEY, device, seed)
}

pub(crate) fn fused_inside_heads(device: &Device, seed: u64) -> Specimen<Language, Words, 3> {
    fused(
        "QKV, cut inside heads",
        Layout::InsideHeads,
        VALUE,
        device,
        seed,
    )
}

pub(crate) fn grouped_queries(device: &Device, seed: u64) -> Specimen<Language, Words, 3> {
    let model = Language::new(Layout::Grouped, false, Positions::None, device);
    // Heads of keys and values take their queries along; a query's head shares its keys and values with others, so
    // that neither width depends on it.
    let mut expected = heads(KEY_HEADS, VALUE).to_vec();
    // The queries of one key: weight 1 and bias of the queries, output.weight 0.
    expected.push(group(QUERIES, &[KEY_HEADS], 3));
    // The stream, and axis 0 of the three matrices.
    expected.push(group(WIDTH, &[], STREAM + 3));
    language("grouped queries", &model, expected, device, seed)
}

pub(crate) fn rotary(device: &Device, seed: u64) -> Specimen<Language, Words, 3> {
    let model = Language::new(Layout::Separate, true, Positions::None, device);
    // Queries and keys are turned pair by pair with frequencies of their own: their widths stay in place.
    let [all, _, passed] = heads(HEADS, VALUE);
    let expected = vec![all, passed, group(WIDTH, &[], STREAM + 3)];
    language("rotary", &model, expected, device, seed)
}

pub(crate) fn learned_positions(device: &Device, seed: u64) -> Specimen<Language, Words, 3> {
    let model = Language::new(Layout::Separate, false, Positions::Learned, device);
    let mut expected = heads(HEADS, VALUE).to_vec();
    // The stream, axis 0 of the three matrices, learned 1.
    expected.push(group(WIDTH, &[], STREAM + 3 + 1));
    language("learned positions", &model, expected, device, seed)
}

/// Sines and cosines in a plain tensor.
pub(crate) fn constant_positions(device: &Device, seed: u64) -> Specimen<Language, Words, 3> {
    let model = Language::new(Layout::Separate, false, Positions::Constant, device);
    // No group of the stream: every one of its numbers has a wave of its own added to it.
    let expected = heads(HEADS, VALUE).to_vec();
    language("constant positions", &model, expected, device, seed)
}
