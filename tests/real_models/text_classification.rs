//! Burn's `examples/text-classification`: a transformer encoder over padded tokens.

use burn::nn::attention::{SeqLengthOption, generate_padding_mask};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::Bool;
use burn::train::ClassificationOutput;
use burnscape::loss::Batch;

use super::checklist::{Checklist, Door};
use super::fixture::{device, drawn, stream};
use super::groups;

const PAD: usize = 0;
const WORDS: usize = 9;
const CLASSES: usize = 3;

#[derive(Batch, Clone, Debug)]
pub(super) struct Texts {
    tokens: Tensor<2, Int>,
    labels: Tensor<1, Int>,
    mask_pad: Tensor<2, Bool>,
}

#[derive(Module, Debug)]
pub(super) struct Classifier {
    transformer: TransformerEncoder,
    embedding_token: Embedding,
    embedding_pos: Embedding,
    output: Linear,
    classes: usize,
}

impl Classifier {
    pub(super) fn new(device: &Device) -> Self {
        Self::with_dropout(device, 0.1)
    }

    pub(super) fn with_dropout(device: &Device, dropout: f64) -> Self {
        let transformer = TransformerEncoderConfig::new(8, 12, 2, 2)
            .with_dropout(dropout)
            .with_norm_first(true)
            .with_quiet_softmax(true);
        Self {
            output: LinearConfig::new(8, CLASSES).init(device),
            transformer: transformer.init(device),
            embedding_token: EmbeddingConfig::new(WORDS, 8).init(device),
            embedding_pos: EmbeddingConfig::new(6, 8).init(device),
            classes: CLASSES,
        }
    }

    /// Begins as the original does: everything is moved to the device of the embedding.
    pub(super) fn forward(&self, texts: Texts) -> ClassificationOutput {
        let [batch, length] = texts.tokens.dims();
        let device = &self.embedding_token.devices()[0];
        let tokens = texts.tokens.to_device(device);
        let labels = texts.labels.to_device(device);
        let mask_pad = texts.mask_pad.to_device(device);

        let positions = Tensor::arange(0..length as i64, device)
            .reshape([1, length])
            .repeat_dim(0, batch);
        let positions = self.embedding_pos.forward(positions);
        let embedded = (positions + self.embedding_token.forward(tokens)) / 2;

        let input = TransformerEncoderInput::new(embedded).mask_pad(mask_pad);
        let logits = self.output.forward(self.transformer.forward(input));
        let logits = logits
            .slice([0..batch, 0..1])
            .reshape([batch, self.classes]);
        let loss = CrossEntropyLossConfig::new()
            .init(&logits.device())
            .forward(logits.clone(), labels.clone());
        ClassificationOutput {
            loss,
            output: logits,
            targets: labels,
        }
    }
}

/// Words, and the class of the text.
pub(super) type Item = (&'static [usize], i64);

/// As the batcher of the original makes it.
pub(super) fn texts(texts: &[Item], device: &Device) -> Texts {
    let tokens = texts.iter().map(|(tokens, _)| tokens.to_vec()).collect();
    let labels = texts.iter().map(|(_, label)| *label).collect::<Vec<i64>>();
    let mask = generate_padding_mask(PAD, tokens, SeqLengthOption::Fixed(6), device);
    Texts {
        tokens: mask.tensor,
        labels: Tensor::from_ints(labels.as_slice(), device),
        mask_pad: mask.mask,
    }
}

fn data() -> [Texts; 2] {
    let data: [&[Item]; 2] = [
        &[(&[1, 5, 3], 0), (&[2, 2, 7, 8, 1], 2), (&[4], 1)],
        &[(&[8, 6, 3, 1, 2, 5, 7], 1), (&[3, 4], 0)],
    ];
    data.map(|items| texts(items, &device()))
}

pub(super) fn loss(model: &Classifier, texts: Texts) -> Tensor<1> {
    model.forward(texts).loss
}

#[test]
fn text_classification_goes_through_every_door() {
    Checklist::new(&Classifier::new, &loss, &data())
        .with_draws_in_training(1)
        .run();
}

/// Where a closure may find its device.
type Name = fn(&Classifier, &Texts) -> Device;

/// The same, with the batch moved by the closure already.
#[test]
fn a_batch_may_be_moved_to_any_name_of_its_device() {
    let names: [Name; 2] = [
        |model, _| model.devices()[0].clone(),
        |_, texts| texts.tokens.device(),
    ];
    let data = data();
    for name in names {
        let moved = |model: &Classifier, texts: Texts| {
            let device = name(model, &texts);
            let texts = Texts {
                tokens: texts.tokens.to_device(&device),
                labels: texts.labels.to_device(&device),
                mask_pad: texts.mask_pad.to_device(&device),
            };
            model.forward(texts).loss
        };
        Checklist::new(&Classifier::new, &moved, &data).run_doors(&[Door::Hessian]);
    }
}

#[test]
fn tensors_may_be_made_on_any_name_of_the_device() {
    let names: [Name; 4] = [
        |model, _| model.devices()[0].clone(),
        |model, _| model.devices()[0].clone().without_autodiff(),
        |_, texts| texts.tokens.device(),
        |model, _| model.embedding_pos.weight.val().device(),
    ];
    let data = data();
    for name in names {
        let made = |model: &Classifier, texts: Texts| {
            let device = name(model, &texts);
            let places = Tensor::<1, Int>::arange(0..6, &device).unsqueeze::<2>();
            let share = Tensor::<1>::full([8], 0.5, &device).unsqueeze::<3>();
            let embedded = model.embedding_token.forward(texts.tokens) * share
                + model.embedding_pos.forward(places);
            let logits = model
                .output
                .forward(embedded.tanh().mean_dim(1).squeeze_dim::<2>(1));
            let criterion = CrossEntropyLossConfig::new().init(&logits.device());
            criterion.forward(logits, texts.labels)
        };
        let doors = [Door::Hessian, Door::SamStep, Door::Slice];
        Checklist::new(&Classifier::new, &made, &data).run_doors(&doors);
    }
}

/// With every dropout layer of the encoder on, as `Mode::Train` has it.
#[test]
fn products_in_training_mode_are_those_of_the_masks_that_were_drawn() {
    let data = data();
    Checklist::new(&Classifier::new, &loss, &data[..1])
        .in_both_modes()
        .with_frozen_draws(5)
        .run_doors(&[Door::Hessian]);
}

#[test]
fn the_groups_of_text_classification_are_those_of_its_architecture() {
    let _drawing = stream(3);
    let outputs = |model: &Classifier, texts: &Texts| model.forward(texts.clone()).output;
    let [batch, _] = data();
    let model = drawn(Classifier::new);
    groups::check(&model, &outputs, batch, groups::TEXT_CLASSIFICATION);
}
