//! A language model whose embedding is its head: one weight, in the two ways in which Burn lets it be shared.

use burn::module::Param;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::optim::SgdConfig;
use burn::prelude::*;
use burn::tensor::activation::gelu;
use burnscape::optim::SamConfig;
use burnscape::space::ParamSpace;

use super::checklist::{Checklist, Door};
use super::fixture::{choices, drawn, for_training, stream};
use super::groups;

const WORDS: usize = 6;
const WIDTH: usize = 4;

fn logits_of(hidden: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
    hidden.matmul(weight.transpose().unsqueeze::<3>())
}

fn loss_of(logits: Tensor<3>, targets: Tensor<2, Int>) -> Tensor<1> {
    let [batch, length, _] = logits.dims();
    let logits = logits.reshape([batch * length, WORDS]);
    let criterion = CrossEntropyLossConfig::new().init(&logits.device());
    criterion.forward(logits, targets.reshape([batch * length]))
}

type Tokens = (Tensor<2, Int>, Tensor<2, Int>);

fn data() -> [Tokens; 2] {
    let tokens = |count: usize, phase: f64| {
        let tokens = |phase| choices([count, 3], WORDS, phase);
        (tokens(phase), tokens(phase + 20.0))
    };
    [tokens(3, 0.1), tokens(2, 60.1)]
}

/// The head reads the embedding's weight.
#[derive(Module, Debug)]
struct OneField {
    embedding: Embedding,
    hidden: Linear,
}

impl OneField {
    fn new(device: &Device) -> Self {
        Self {
            embedding: EmbeddingConfig::new(WORDS, WIDTH).init(device),
            hidden: LinearConfig::new(WIDTH, WIDTH).init(device),
        }
    }

    fn logits(&self, inputs: Tensor<2, Int>) -> Tensor<3> {
        let hidden = gelu(self.hidden.forward(self.embedding.forward(inputs)));
        logits_of(hidden, self.embedding.weight.val())
    }
}

#[test]
fn a_head_that_reads_its_embedding_goes_through_every_door() {
    let loss = |model: &OneField, (inputs, targets): Tokens| loss_of(model.logits(inputs), targets);
    Checklist::new(&OneField::new, &loss, &data()).run();
}

/// The head is a field of its own, made of the same parameter.
#[derive(Module, Debug)]
struct TwoFields {
    embedding: Embedding,
    hidden: Linear,
    head: Param<Tensor<2>>,
}

impl TwoFields {
    fn new(device: &Device) -> Self {
        let embedding = EmbeddingConfig::new(WORDS, WIDTH).init(device);
        Self {
            head: embedding.weight.clone(),
            embedding,
            hidden: LinearConfig::new(WIDTH, WIDTH).init(device),
        }
    }

    fn logits(&self, inputs: Tensor<2, Int>) -> Tensor<3> {
        let hidden = gelu(self.hidden.forward(self.embedding.forward(inputs)));
        logits_of(hidden, self.head.val())
    }
}

fn loss(model: &TwoFields, (inputs, targets): Tokens) -> Tensor<1> {
    loss_of(model.logits(inputs), targets)
}

#[test]
fn an_embedding_tied_to_its_head_goes_through_every_door() {
    Checklist::new(&TwoFields::new, &loss, &data())
        .with_sam(SamConfig::new().with_restore_tied(true))
        .run();
}

#[test]
fn a_rebuilt_model_with_a_tie_takes_up_a_run_by_its_paths() {
    Checklist::new(&TwoFields::new, &loss, &data())
        .with_sam(SamConfig::new().with_restore_tied(true))
        .run_doors(&[Door::ResumeRebuilt]);
}

#[test]
fn an_embedding_tied_to_its_head_is_refused_by_an_optimizer_that_would_untie_it() {
    Checklist::new(&TwoFields::new, &loss, &data())
        .refused_by(
            &[Door::SamStep],
            &[
                "`embedding.weight` and `head` are one parameter",
                "with_restore_tied(true)",
            ],
        )
        .run_doors(&[Door::SamStep]);
}

#[test]
fn a_tie_holds_over_steps() {
    let _drawing = stream(6);
    let mut model = drawn(TwoFields::new);
    let mut sam = SamConfig::new()
        .with_restore_tied(true)
        .init(SgdConfig::new().init())
        .unwrap();
    let batch = for_training(&data()[0]);
    for _ in 0..3 {
        let closure = |model: &TwoFields| loss(model, batch.clone());
        sam.step(0.1, &mut model, closure).unwrap();
        let weight = model.embedding.weight.val().into_data();
        assert_eq!(weight, model.head.val().into_data());
    }
    let space = ParamSpace::of(&model).unwrap();
    assert_eq!(space.leaves()[0].duplicates(), ["head"]);
}

#[test]
fn the_groups_of_a_head_that_reads_its_embedding_are_those_of_its_architecture() {
    let _drawing = stream(3);
    let outputs = |model: &OneField, (inputs, _): &Tokens| model.logits(inputs.clone());
    let [batch, _] = data();
    let model = drawn(OneField::new);
    groups::check(&model, &outputs, batch, groups::TIED_EMBEDDING);
}

#[test]
fn the_groups_of_an_embedding_tied_to_its_head_are_those_of_its_architecture() {
    let _drawing = stream(3);
    let outputs = |model: &TwoFields, (inputs, _): &Tokens| model.logits(inputs.clone());
    let [batch, _] = data();
    let model = drawn(TwoFields::new);
    groups::check(&model, &outputs, batch, groups::TIED_EMBEDDING);
}
