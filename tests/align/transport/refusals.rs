//! What cannot be transported.

use burn::module::Module;
use burn::nn::Linear;
use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::tensor::{DType, Tensor};
use burnscape::align::{AlignError, TransportConfig};

use super::super::weights::with;
use super::{SEED, linear, mlp, moved};
use crate::element::device;
use crate::symmetry::zoo::{Mlp, cast, numbers};

/// Two heads or four in the same width.
#[derive(Module, Debug)]
struct Heads {
    attention: MultiHeadAttention,
    head: Linear,
}

impl Heads {
    fn new(heads: usize) -> Self {
        let attention = MultiHeadAttentionConfig::new(8, heads).with_dropout(0.0);
        Self {
            attention: attention.init(&device()),
            head: linear(8, 2),
        }
    }

    fn outputs(&self, x: &Tensor<3>) -> Tensor<3> {
        let attended = self.attention.forward(MhaInput::self_attn(x.clone()));
        self.head.forward(attended.context)
    }
}

#[test]
fn other_numbers_of_heads_are_refused() {
    let x = numbers([2, 3, 8], SEED, &device());
    let found = TransportConfig::new().run(&Heads::outputs, x, &Heads::new(2), &Heads::new(4));
    let refusal = found.unwrap_err();
    assert!(
        matches!(refusal, AlignError::DependentGroup { .. }),
        "{refusal}"
    );
    assert!(refusal.to_string().contains("2 or 4"), "{refusal}");
}

/// The decoder is the transposed encoder.
#[derive(Module, Debug)]
struct Tied {
    encoder: Linear,
}

/// Products of queries and keys.
#[derive(Module, Debug)]
struct Scores {
    query: Linear,
    key: Linear,
}

/// A layer more or less.
#[derive(Module, Debug)]
struct Deep {
    layers: Vec<Linear>,
}

fn refusal<M: Module, const R: usize>(
    outputs: fn(&M, &Tensor<2>) -> Tensor<R>,
    source: &M,
    target: &M,
) -> String {
    let x = numbers([3, 5], SEED, &device());
    let found = TransportConfig::new().run(&outputs, x, source, target);
    let refusal = found.unwrap_err();
    assert!(
        matches!(refusal, AlignError::DifferentStructure { .. }),
        "{refusal}"
    );
    refusal.to_string()
}

#[test]
fn models_that_differ_in_more_than_widths_are_refused() {
    let own = mlp([5, 7, 6, 4], 1);
    let text = refusal(Mlp::outputs, &own, &mlp([5, 7, 6, 3], 2));
    let expected = "axis 1 of `last.weight` has 4 values in `source` and 3 in `target`";
    assert!(text.contains(expected), "{text}");
    let text = refusal(Mlp::outputs, &cast(&own, DType::F32), &own);
    assert!(
        text.contains("F32") && text.contains("`first.weight`"),
        "{text}"
    );

    let tied = |units: usize| Tied {
        encoder: linear(5, units),
    };
    let outputs = |net: &Tied, x: &Tensor<2>| {
        let code = net.encoder.forward(x.clone()).tanh();
        code.matmul(net.encoder.weight.val().transpose())
    };
    let text = refusal(outputs, &tied(4), &tied(3));
    assert!(text.contains("both makes and reads"), "{text}");

    let scores = |units: usize| Scores {
        query: linear(5, units),
        key: linear(5, units),
    };
    let outputs = |net: &Scores, x: &Tensor<2>| {
        let query = net.query.forward(x.clone());
        query.matmul(net.key.forward(x.clone()).transpose())
    };
    let text = refusal(outputs, &scores(4), &scores(3));
    assert!(text.contains("no parameter reads the 4 units"), "{text}");

    let deep = |count: usize| Deep {
        layers: (0..count).map(|_| linear(5, 5)).collect(),
    };
    let outputs = |net: &Deep, x: &Tensor<2>| {
        let layers = net.layers.iter();
        layers.fold(x.clone(), |x, layer| layer.forward(x).tanh())
    };
    let text = refusal(outputs, &deep(2), &deep(3));
    assert!(
        text.contains("no further tensor") && text.contains("`layers.2.weight`"),
        "{text}"
    );
}

#[test]
fn settings_and_values_that_cannot_be_used_are_refused() {
    let (source, target) = (mlp([5, 7, 6, 4], 1), mlp([5, 4, 6, 4], 2));
    let refused = |config: TransportConfig| moved(&config, &source, &target).unwrap_err();
    let config = TransportConfig::new();
    for (config, name) in [
        (
            config.clone().with_regularization(Some(0.0)),
            "`regularization` is 0",
        ),
        (
            config.clone().with_regularization(Some(f64::NAN)),
            "`regularization` is NaN",
        ),
        (
            config.clone().with_max_iterations(0),
            "`max_iterations` is 0",
        ),
        (config.clone().with_tolerance(-1.0), "`tolerance` is -1"),
    ] {
        let text = refused(config).to_string();
        assert!(text.contains(name), "{text}");
    }
    let short = config
        .clone()
        .with_regularization(Some(0.01))
        .with_max_iterations(1);
    let refused = refused(short);
    assert!(
        matches!(refused, AlignError::NotConverged { iterations: 1, .. }),
        "{refused}"
    );
    assert!(
        refused
            .to_string()
            .contains("group 0 (first.weight axis 1)"),
        "{refused}"
    );

    let bias = [0.0, 1.0, f64::NAN, 0.0, 0.0, 0.0, 0.0];
    let broken = with(&source, &[("first.bias", &bias)]);
    let refused = moved(&config, &broken, &target).unwrap_err();
    let text = refused.to_string();
    assert!(
        matches!(
            refused,
            AlignError::NonFinite {
                model: "source",
                index: 2,
                ..
            }
        ),
        "{text}"
    );
    assert!(text.contains("`first.bias` of model `source`"), "{text}");
}
