//! Burn's `examples/text-generation`: a causal language model, whose loss leaves out padding.

use burn::nn::attention::{generate_autoregressive_mask, generate_padding_mask};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::Bool;
use burn::train::ClassificationOutput;
use burnscape::loss::{Batch, BatchMapper, LossError};

use super::checklist::Checklist;
use super::fixture::{device, drawn, stream};
use super::groups;

const PAD: usize = 7;
const WORDS: usize = 8;
const LENGTH: usize = 5;

/// The loss is a mean over tokens, so that a batch weighs as much as it has targets.
#[derive(Clone, Debug)]
struct Tokens {
    inputs: Tensor<2, Int>,
    targets: Tensor<2, Int>,
    mask_pad: Tensor<2, Bool>,
}

impl Batch for Tokens {
    const IS_ONLY_TENSORS: bool = true;

    fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
        Self {
            inputs: mapper.map_int(self.inputs),
            targets: mapper.map_int(self.targets),
            mask_pad: mapper.map_bool(self.mask_pad),
        }
    }

    fn weight(&self) -> Result<f64, LossError> {
        let is_target = self.targets.clone().not_equal_scalar(PAD as i64);
        Ok(is_target.int().sum().into_scalar())
    }
}

#[derive(Module, Debug)]
struct LanguageModel {
    transformer: TransformerEncoder,
    embedding_token: Embedding,
    embedding_pos: Embedding,
    output: Linear,
    words: usize,
    pad: usize,
}

impl LanguageModel {
    fn new(device: &Device) -> Self {
        let transformer = TransformerEncoderConfig::new(8, 10, 2, 2).with_norm_first(true);
        Self {
            output: LinearConfig::new(8, WORDS).init(device),
            transformer: transformer.init(device),
            embedding_token: EmbeddingConfig::new(WORDS, 8).init(device),
            embedding_pos: EmbeddingConfig::new(LENGTH, 8).init(device),
            words: WORDS,
            pad: PAD,
        }
    }

    fn forward_training(&self, batch: Tokens) -> ClassificationOutput {
        let [size, length] = batch.inputs.dims();
        let device = &self.devices()[0];
        let inputs = batch.inputs.to_device(device);
        let targets = batch.targets.to_device(device);
        let mask_pad = batch.mask_pad.to_device(device);

        let positions = Tensor::arange(0..length as i64, device)
            .reshape([1, length])
            .repeat_dim(0, size);
        let positions = self.embedding_pos.forward(positions);
        let embedded = (positions + self.embedding_token.forward(inputs)) / 2;

        let mask_attn = generate_autoregressive_mask(size, length, device);
        let input = TransformerEncoderInput::new(embedded)
            .mask_pad(mask_pad)
            .mask_attn(mask_attn);
        let logits = self.output.forward(self.transformer.forward(input));
        let logits = logits.reshape([size * length, self.words]);
        let targets = targets.reshape([size * length]);

        let criterion = CrossEntropyLossConfig::new()
            .with_pad_tokens(Some(vec![self.pad]))
            .init(&logits.device());
        ClassificationOutput {
            loss: criterion.forward(logits.clone(), targets.clone()),
            output: logits,
            targets,
        }
    }
}

/// As the batcher of the original makes it: the targets are the inputs, one place on.
fn tokens(texts: &[&[usize]]) -> Tokens {
    let texts: Vec<Vec<usize>> = texts.iter().map(|text| text.to_vec()).collect();
    let padded = generate_padding_mask(PAD, texts, Some(LENGTH + 1), &device());
    let [size, length] = padded.tensor.dims();
    Tokens {
        inputs: padded.tensor.clone().slice([0..size, 0..length - 1]),
        targets: padded.tensor.slice([0..size, 1..length]),
        mask_pad: padded.mask.slice([0..size, 0..length - 1]),
    }
}

fn data() -> [Tokens; 2] {
    [
        tokens(&[&[1, 3, 2, 5], &[4, 4, 0, 6, 2, 1], &[5, 1]]),
        // Shorter than the first: a batch is as long as its longest text.
        tokens(&[&[2, 6, 3]]),
    ]
}

#[test]
fn text_generation_goes_through_every_door() {
    let loss = |model: &LanguageModel, batch: Tokens| model.forward_training(batch).loss;
    Checklist::new(&LanguageModel::new, &loss, &data())
        .with_draws_in_training(1)
        .run();
}

#[test]
fn the_groups_of_text_generation_are_those_of_its_architecture() {
    let _drawing = stream(3);
    let outputs =
        |model: &LanguageModel, batch: &Tokens| model.forward_training(batch.clone()).output;
    let [batch, _] = data();
    let model = drawn(LanguageModel::new);
    groups::check(&model, &outputs, batch, groups::TEXT_GENERATION);
}
