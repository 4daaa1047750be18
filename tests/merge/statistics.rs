//! What methods need to know of a model: squared gradients, and Gram matrices of the inputs of its layers.

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::activation::{relu, softmax};
use burn::tensor::{Int, Tensor};
use burnscape::loss::{LossError, Risk};
use burnscape::merge::{FisherAverage, MergeError, RegMean, TensorMap};

use super::matrix_methods::{assert_near, assert_says, refusal, transposed, values};
use crate::element::device;
use crate::symmetry::zoo::{self, Mlp, numbers, scattered};

const SEED: u64 = 73;

/// Data for the networks.
pub(super) fn batches() -> [Tensor<2>; 3] {
    // Of two lengths, so that a program runs twice.
    [24, 30, 24].map(|count| numbers([count, 5], SEED + count as u64, &device()))
}

pub(super) fn losses(net: &Mlp, x: Tensor<2>) -> Tensor<1> {
    net.outputs(&x).square().sum_dim(1).squeeze_dim::<1>(1)
}

#[test]
fn squared_gradients_are_those_of_the_examples() {
    let net = zoo::mlp(&device(), SEED).model;
    let data = batches();
    let risk = Risk::per_example(losses, &data);
    let found = FisherAverage::squared_gradients(&risk, &net).expect("importances");
    let gradients = risk.example_gradients(&net).expect("gradients");
    assert_eq!((gradients.len(), found.len()), (78, 6));
    for leaf in gradients[0].space().leaves() {
        let mut means = vec![0.0; leaf.len()];
        for gradient in &gradients {
            let part = values(&gradient.leaf(leaf).into_data());
            let terms = means.iter_mut().zip(part);
            terms.for_each(|(mean, x)| *mean += x * x / gradients.len() as f64);
        }
        let found = found.get(leaf.path()).expect("the parameter");
        assert_eq!(found.shape().as_slice(), leaf.shape());
        assert_near(found, &means, 1e-13);
    }
    let empty: [Tensor<2>; 0] = [];
    let error = refusal(FisherAverage::squared_gradients(
        &Risk::per_example(losses, &empty),
        &net,
    ));
    assert_eq!(error, MergeError::Loss(LossError::EmptyData));
    let steep = |net: &Mlp, x: Tensor<2>| losses(net, x).sqrt() * f64::INFINITY;
    let risk = Risk::per_example(steep, &data);
    assert!(FisherAverage::squared_gradients(&risk, &net).is_err());
}

/// `Xᵀ X` of all vectors along the last axis.
pub(super) fn gram<const D: usize>(x: Tensor<D>) -> Tensor<2> {
    let width = x.dims()[D - 1];
    let count = x.dims().iter().product::<usize>() / width;
    let x = x.reshape([count, width]);
    x.clone().transpose().matmul(x)
}

/// The Gram matrices have exactly these names and values.
#[track_caller]
fn assert_grams(found: &TensorMap, expected: Vec<(&str, Tensor<2>)>) {
    let names: Vec<&str> = found.iter().map(|(name, _)| name).collect();
    let expected_names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, expected_names);
    for (name, gram) in expected {
        let found = found.get(name).expect(name);
        assert_eq!(found.shape().as_slice(), gram.dims());
        assert_near(found, &values(&gram.into_data()), 1e-13);
        assert_eq!(*found, transposed(found), "{name}");
    }
}

#[test]
fn grams_are_those_of_what_each_layer_reads() {
    let net = zoo::mlp(&device(), SEED).model;
    let found = RegMean::input_grams(&Mlp::outputs, &batches(), &net).expect("Gram matrices");
    let x = Tensor::cat(batches().to_vec(), 0);
    let hidden = relu(net.first.forward(x.clone()));
    let last = net.second.forward(hidden.clone()).tanh();
    let expected = vec![
        ("first.weight", gram(x)),
        ("last.weight", gram(last)),
        ("second.weight", gram(hidden)),
    ];
    assert_grams(&found, expected);
    // A decoder that is the transposed encoder multiplies along the output axis.
    let tied = zoo::tied_autoencoder(&device(), SEED);
    let found = RegMean::input_grams(
        &tied.outputs,
        std::slice::from_ref(&tied.batch),
        &tied.model,
    );
    let found = found.expect("Gram matrices");
    let encoder = found.get("encoder.weight").expect("the encoder");
    assert_near(encoder, &values(&gram(tied.batch).into_data()), 1e-13);
    assert_eq!(found.len(), 3);
    // Convolutions have none.
    let cnn = zoo::cnn(&device(), SEED);
    let found = RegMean::input_grams(&cnn.outputs, std::slice::from_ref(&cnn.batch), &cnn.model);
    let found = found.expect("Gram matrices");
    let names: Vec<&str> = found.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["head.weight", "hidden.weight"]);
}

/// A layer that is used twice, between an embedding and a head that are one.
#[derive(Module, Debug)]
struct Tied {
    embedding: Embedding,
    layer: Linear,
}

impl Tied {
    fn hidden(&self, words: &Tensor<2, Int>) -> [Tensor<3>; 3] {
        let x = self.embedding.forward(words.clone());
        let y = self.layer.forward(x.clone()).tanh();
        let z = self.layer.forward(y.clone());
        [x, y, z]
    }

    fn outputs(&self, words: &Tensor<2, Int>) -> Tensor<3> {
        let [.., z] = self.hidden(words);
        z.matmul(self.embedding.weight.val().transpose().unsqueeze::<3>())
    }
}

#[test]
fn uses_of_one_weight_add_up_and_look_ups_do_not_count() {
    let device = device();
    let net = Tied {
        embedding: EmbeddingConfig::new(5, 6).init(&device),
        layer: LinearConfig::new(6, 6).init(&device),
    };
    let net = scattered(&net, SEED);
    let words = Tensor::<2, Int>::from_data([[0, 3, 1], [4, 4, 2]], &device);
    let found = RegMean::input_grams(&Tied::outputs, std::slice::from_ref(&words), &net)
        .expect("Gram matrices");
    let [x, y, z] = net.hidden(&words);
    let expected = vec![
        ("embedding.weight", gram(z)),
        ("layer.weight", gram(x) + gram(y)),
    ];
    assert_grams(&found, expected);
}

/// Attention with two heads, written out.
#[derive(Module, Debug)]
struct Attention {
    key: Linear,
    output: Linear,
    query: Linear,
    value: Linear,
}

impl Attention {
    fn context(&self, x: &Tensor<3>) -> Tensor<3> {
        let [batch, length, width] = x.dims();
        let heads = |layer: &Linear| -> Tensor<4> {
            let y = layer.forward(x.clone());
            y.reshape([batch, length, 2, width / 2]).swap_dims(1, 2)
        };
        let scores = heads(&self.query).matmul(heads(&self.key).transpose());
        let context = softmax(scores, 3).matmul(heads(&self.value));
        context.swap_dims(1, 2).reshape([batch, length, width])
    }

    fn outputs(&self, x: &Tensor<3>) -> Tensor<3> {
        self.output.forward(self.context(x))
    }
}

#[test]
fn grams_of_attention_are_over_all_words() {
    let device = device();
    let layer = || -> Linear { LinearConfig::new(6, 6).init(&device) };
    let net = Attention {
        key: layer(),
        output: layer(),
        query: layer(),
        value: layer(),
    };
    let net = scattered(&net, SEED);
    let batches = [2, 3].map(|count| numbers([count, 4, 6], SEED + 9, &device));
    let found = RegMean::input_grams(&Attention::outputs, &batches, &net).expect("Gram matrices");
    let x = Tensor::cat(batches.to_vec(), 0);
    let own = gram(x.clone());
    let expected = vec![
        ("key.weight", own.clone()),
        ("output.weight", gram(net.context(&x))),
        ("query.weight", own.clone()),
        ("value.weight", own),
    ];
    assert_grams(&found, expected);
}

#[test]
fn inputs_without_a_gram_matrix_are_refused() {
    let net = zoo::mlp(&device(), SEED).model;
    let none: [Tensor<2>; 0] = [];
    let error = refusal(RegMean::input_grams(&Mlp::outputs, &none, &net));
    assert_eq!(error, MergeError::Loss(LossError::EmptyData));
    let [first, ..] = batches();
    let data = [first.clone(), first.clone() * f64::NAN];
    let error = refusal(RegMean::input_grams(&Mlp::outputs, &data, &net));
    assert!(matches!(error, MergeError::Statistics { .. }), "{error}");
    assert_says(&error, &["`first.weight`", "NaN", "batch 1"]);
    let data = [first, Tensor::zeros([0, 5], &device())];
    let error = refusal(RegMean::input_grams(&Mlp::outputs, &data, &net));
    assert_eq!(error, MergeError::Loss(LossError::EmptyBatch { batch: 1 }));
}
