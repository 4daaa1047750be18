//! Burn's transformer encoder.

use burn::module::Module;
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor};

use super::specimen::{Specimen, group};
use super::values::{scattered, tokens};

const WORDS: usize = 5;
const WIDTH: usize = 12;
const HEADS: usize = 3;
const HEAD: usize = WIDTH / HEADS;
const HIDDEN: usize = 7;
const LAYERS: usize = 2;

#[derive(Module, Debug)]
pub(crate) struct EncoderNet {
    embedding: Embedding,
    encoder: TransformerEncoder,
    head: Linear,
}

impl EncoderNet {
    fn outputs(&self, words: &Tensor<2, Int>) -> Tensor<3> {
        let x = self.embedding.forward(words.clone());
        let x = self.encoder.forward(TransformerEncoderInput::new(x));
        self.head.forward(x)
    }
}

/// Normalized before the layers of each block, or after their sums.
pub(crate) fn encoder(
    norm_first: bool,
    device: &Device,
    seed: u64,
) -> Specimen<EncoderNet, Tensor<2, Int>, 3> {
    let encoder = TransformerEncoderConfig::new(WIDTH, HIDDEN, HEADS, LAYERS)
        .with_norm_first(norm_first)
        .with_dropout(0.0);
    let model = EncoderNet {
        embedding: EmbeddingConfig::new(WORDS, WIDTH).init(device),
        encoder: encoder.init(device),
        head: LinearConfig::new(WIDTH, WORDS).init(device),
    };
    // norm_1 (2), norm_2 (2), mha.query.weight 0, mha.key.weight 0, mha.value.weight 0, mha.output.weight 1 and bias,
    // pwff.linear_inner.weight 0, pwff.linear_outer.weight 1 and bias: wherever the norms are.
    let layer = 2 + 2 + 3 + 2 + 1 + 2;
    // embedding.weight 1, the layers, head.weight 0.
    let mut expected = vec![group(WIDTH, &[], 1 + LAYERS * layer + 1)];
    for _ in 0..LAYERS {
        expected.extend([
            // Heads: query, key and value (weight 1 and bias each), output.weight 0.
            group(HEADS, &[], 3 * 2 + 1),
            // What queries and keys of a head are compared by: both, weight 1 and bias.
            group(HEAD, &[HEADS], 2 * 2),
            // What a head passes on: value.weight 1, value.bias, output.weight 0.
            group(HEAD, &[HEADS], 3),
            // linear_inner.weight 1, linear_inner.bias, linear_outer.weight 0.
            group(HIDDEN, &[], 3),
        ]);
    }
    Specimen {
        name: match norm_first {
            true => "TransformerEncoder, norm first",
            false => "TransformerEncoder, norm last",
        },
        model: scattered(&model, seed),
        batch: tokens([2, 4], WORDS, seed + 1, device),
        outputs: EncoderNet::outputs,
        expected,
    }
}
