//! Networks of linear layers, embeddings and mixtures.

use burn::module::{Module, Param};
use burn::nn::{
    Embedding, EmbeddingConfig, Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig,
    SwiGlu, SwiGluConfig,
};
use burn::tensor::activation::{gelu, relu, softmax};
use burn::tensor::{Device, Int, Tensor};

use super::specimen::{Specimen, group};
use super::values::{numbers, scattered, tokens};

fn linear(from: usize, to: usize, device: &Device) -> Linear {
    LinearConfig::new(from, to).init(device)
}

/// Two hidden layers.
#[derive(Module, Debug)]
pub(crate) struct Mlp {
    pub(crate) first: Linear,
    pub(crate) second: Linear,
    pub(crate) last: Linear,
}

impl Mlp {
    pub(crate) fn new(widths: [usize; 4], device: &Device) -> Self {
        let layer = |index: usize| linear(widths[index], widths[index + 1], device);
        Self {
            first: layer(0),
            second: layer(1),
            last: layer(2),
        }
    }

    pub(crate) fn outputs(&self, x: &Tensor<2>) -> Tensor<2> {
        let hidden = relu(self.first.forward(x.clone()));
        self.last.forward(self.second.forward(hidden).tanh())
    }
}

pub(crate) fn mlp(device: &Device, seed: u64) -> Specimen<Mlp, Tensor<2>, 2> {
    Specimen {
        name: "MLP",
        model: scattered(&Mlp::new([5, 7, 6, 4], device), seed),
        batch: numbers([3, 5], seed + 1, device),
        outputs: Mlp::outputs,
        expected: vec![
            // first.weight 1, first.bias, second.weight 0.
            group(7, &[], 3),
            // second.weight 1, second.bias, last.weight 0.
            group(6, &[], 3),
        ],
    }
}

/// Six numbers, four of code, five between, three of code on the way back.
#[derive(Module, Debug)]
pub(crate) struct Autoencoder {
    encoder: Linear,
    inner: Linear,
    outer: Linear,
    decoder: Linear,
}

impl Autoencoder {
    fn outputs(&self, x: &Tensor<2>) -> Tensor<2> {
        let code = self.encoder.forward(x.clone()).tanh();
        let back = self.outer.forward(relu(self.inner.forward(code))).tanh();
        self.decoder.forward(back)
    }
}

pub(crate) fn autoencoder(device: &Device, seed: u64) -> Specimen<Autoencoder, Tensor<2>, 2> {
    let model = Autoencoder {
        encoder: linear(6, 4, device),
        inner: linear(4, 5, device),
        outer: linear(5, 3, device),
        decoder: linear(3, 6, device),
    };
    Specimen {
        name: "autoencoder",
        model: scattered(&model, seed),
        batch: numbers([3, 6], seed + 1, device),
        outputs: Autoencoder::outputs,
        expected: vec![
            // encoder.weight 1, encoder.bias, inner.weight 0.
            group(4, &[], 3),
            // inner.weight 1, inner.bias, outer.weight 0.
            group(5, &[], 3),
            // outer.weight 1, outer.bias, decoder.weight 0.
            group(3, &[], 3),
        ],
    }
}

/// The decoder is the transposed encoder.
#[derive(Module, Debug)]
pub(crate) struct TiedAutoencoder {
    encoder: Linear,
    inner: Linear,
    outer: Linear,
}

impl TiedAutoencoder {
    fn outputs(&self, x: &Tensor<2>) -> Tensor<2> {
        let code = self.encoder.forward(x.clone()).tanh();
        let back = self.outer.forward(relu(self.inner.forward(code))).tanh();
        back.matmul(self.encoder.weight.val().transpose())
    }
}

pub(crate) fn tied_autoencoder(
    device: &Device,
    seed: u64,
) -> Specimen<TiedAutoencoder, Tensor<2>, 2> {
    let model = TiedAutoencoder {
        encoder: linear(6, 4, device),
        inner: linear(4, 5, device),
        outer: linear(5, 4, device),
    };
    Specimen {
        name: "autoencoder, tied",
        model: scattered(&model, seed),
        batch: numbers([3, 6], seed + 1, device),
        outputs: TiedAutoencoder::outputs,
        expected: vec![
            // The code there and back is one group through the weight that both have: encoder.weight 1,
            // encoder.bias, inner.weight 0, outer.weight 1, outer.bias.
            group(4, &[], 5),
            // inner.weight 1, inner.bias, outer.weight 0.
            group(5, &[], 3),
        ],
    }
}

/// A residual block with a gate, without attention.
#[derive(Module, Debug)]
pub(crate) struct Gated {
    stem: Linear,
    norm: LayerNorm,
    gate: SwiGlu,
    down: Linear,
    head: Linear,
}

impl Gated {
    fn outputs(&self, x: &Tensor<2>) -> Tensor<2> {
        let x = self.stem.forward(x.clone());
        let gated = self.gate.forward(self.norm.forward(x.clone()));
        self.head.forward(x + self.down.forward(gated))
    }
}

pub(crate) fn gated(device: &Device, seed: u64) -> Specimen<Gated, Tensor<2>, 2> {
    let model = Gated {
        stem: linear(3, 6, device),
        norm: LayerNormConfig::new(6).init(device),
        gate: SwiGluConfig::new(6, 8).with_bias(true).init(device),
        down: linear(8, 6, device),
        head: linear(6, 2, device),
    };
    Specimen {
        name: "SwiGlu",
        model: scattered(&model, seed),
        batch: numbers([4, 3], seed + 1, device),
        outputs: Gated::outputs,
        expected: vec![
            // stem.weight 1, stem.bias, norm.gamma, norm.beta, gate.linear_inner.weight 0,
            // gate.linear_outer.weight 0, down.weight 1, down.bias, head.weight 0.
            group(6, &[], 9),
            // Both linear layers of the gate, weight 1 and bias each, and down.weight 0.
            group(8, &[], 5),
        ],
    }
}

/// A language model whose embedding is its head: one parameter that is read twice.
#[derive(Module, Debug)]
pub(crate) struct TiedEmbedding {
    embedding: Embedding,
    norm1: LayerNorm,
    widen: Linear,
    narrow: Linear,
    norm2: LayerNorm,
}

impl TiedEmbedding {
    fn outputs(&self, words: &Tensor<2, Int>) -> Tensor<3> {
        let x = self.embedding.forward(words.clone());
        let hidden = gelu(self.widen.forward(self.norm1.forward(x.clone())));
        let x = self.norm2.forward(x + self.narrow.forward(hidden));
        let head = self.embedding.weight.val().transpose();
        x.matmul(head.unsqueeze::<3>())
    }
}

pub(crate) fn tied_embedding(
    device: &Device,
    seed: u64,
) -> Specimen<TiedEmbedding, Tensor<2, Int>, 3> {
    let model = TiedEmbedding {
        embedding: EmbeddingConfig::new(5, 6).init(device),
        norm1: LayerNormConfig::new(6).init(device),
        widen: linear(6, 8, device),
        narrow: linear(8, 6, device),
        norm2: LayerNormConfig::new(6).init(device),
    };
    Specimen {
        name: "tied embedding",
        model: scattered(&model, seed),
        batch: tokens([2, 4], 5, seed + 1, device),
        outputs: TiedEmbedding::outputs,
        expected: vec![
            // embedding.weight 1 once, though it is read twice, norm1 (2), widen.weight 0, narrow.weight 1,
            // narrow.bias, norm2 (2).
            group(6, &[], 8),
            // widen.weight 1, widen.bias, narrow.weight 0.
            group(8, &[], 3),
        ],
    }
}

/// A soft mixture of three experts, whose weights are tensors of rank 3.
#[derive(Module, Debug)]
pub(crate) struct Experts {
    stem: Linear,
    gate: Param<Tensor<2>>,
    inner: Param<Tensor<3>>,
    outer: Param<Tensor<3>>,
    head: Linear,
}

impl Experts {
    fn outputs(&self, x: &Tensor<2>) -> Tensor<2> {
        let x = relu(self.stem.forward(x.clone()));
        let shares = softmax(x.clone().matmul(self.gate.val()), 1);
        let hidden = relu(x.unsqueeze_dim::<3>(0).matmul(self.inner.val()));
        let each = hidden.matmul(self.outer.val());
        let mixed = each * shares.transpose().unsqueeze_dim::<3>(2);
        self.head.forward(mixed.sum_dim(0).squeeze_dim::<2>(0))
    }
}

pub(crate) fn experts(device: &Device, seed: u64) -> Specimen<Experts, Tensor<2>, 2> {
    let normal = Initializer::Normal {
        mean: 0.0,
        std: 1.0,
    };
    let model = Experts {
        stem: linear(2, 6, device),
        gate: normal.init([6, 3], device),
        inner: normal.init([3, 6, 5], device),
        outer: normal.init([3, 5, 4], device),
        head: linear(4, 2, device),
    };
    Specimen {
        name: "soft mixture of experts",
        model: scattered(&model, seed),
        batch: numbers([7, 2], seed + 1, device),
        outputs: Experts::outputs,
        expected: vec![
            // The experts: gate 1, inner 0, outer 0.
            group(3, &[], 3),
            // What all experts read: stem.weight 1, stem.bias, gate 0, inner 1.
            group(6, &[], 4),
            // The units of each expert: inner 2, outer 1.
            group(5, &[3], 2),
            // What they write to one sum: outer 2, head.weight 0.
            group(4, &[], 2),
        ],
    }
}

/// The largest score chooses a code.
#[derive(Module, Debug)]
pub(crate) struct Quantized {
    first: Linear,
    scores: Linear,
    codes: Embedding,
    mix: Linear,
    head: Linear,
}

impl Quantized {
    fn outputs(&self, x: &Tensor<2>) -> Tensor<2> {
        let scores = self.scores.forward(relu(self.first.forward(x.clone())));
        let code = self.codes.forward(scores.clone().argmax(1));
        let code = code.squeeze_dim::<2>(1) + self.mix.forward(scores);
        self.head.forward(code.tanh())
    }
}

pub(crate) fn quantized(device: &Device, seed: u64) -> Specimen<Quantized, Tensor<2>, 2> {
    let model = Quantized {
        first: linear(4, 6, device),
        scores: linear(6, 5, device),
        codes: EmbeddingConfig::new(5, 7).init(device),
        mix: linear(5, 7, device),
        head: linear(7, 3, device),
    };
    Specimen {
        name: "argmax into an embedding",
        model: scattered(&model, seed),
        batch: numbers([8, 4], seed + 1, device),
        outputs: Quantized::outputs,
        expected: vec![
            // first.weight 1, first.bias, scores.weight 0.
            group(6, &[], 3),
            // codes.weight 1, mix.weight 1, mix.bias, head.weight 0. The five codes stay in place.
            group(7, &[], 4),
        ],
    }
}
