//! Straight-through matching: where weights mislead, the loss between the models does not.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, SgdConfig};
use burn::tensor::{Tensor, TensorData};
use burnscape::align::{
    AlignError, CoordinateDescentConfig, StraightThroughConfig, WeightMatchingConfig,
};
use burnscape::krylov::Outcome;
use burnscape::loss::{Mode, Risk};
use burnscape::symmetry::{Symmetries, SymmetriesConfig};

use super::weights::with;
use crate::element::device;
use crate::symmetry::zoo::{self, Cnn, numbers, parameters, same, scattered};

const UNITS: usize = 3;

/// One hidden layer without biases.
#[derive(Module, Debug)]
pub(super) struct Shallow {
    first: Linear,
    second: Linear,
}

impl Shallow {
    fn new(first: &[f64], second: &[f64]) -> Self {
        let linear = |from, to| {
            let config = LinearConfig::new(from, to).with_bias(false);
            config.init(&device())
        };
        let net = Self {
            first: linear(3, UNITS),
            second: linear(UNITS, 1),
        };
        with(&net, &[("first.weight", first), ("second.weight", second)])
    }

    pub(super) fn outputs(&self, x: &Tensor<2>) -> Tensor<2> {
        self.second.forward(self.first.forward(x.clone()).tanh())
    }

    pub(super) fn symmetries(&self) -> Symmetries {
        let outputs = |net: &Self, x: &Tensor<2>| net.outputs(x);
        SymmetriesConfig::new()
            .run(&outputs, self, inputs())
            .expect("symmetries")
    }
}

/// The third input is always zero.
pub(super) fn inputs() -> Tensor<2> {
    let rows = (0..32).flat_map(|row| {
        let row = f64::from(row);
        [(1.3 * row).sin(), 1.2 * (2.1 * row).cos(), 0.0]
    });
    let rows: Vec<f64> = rows.collect();
    Tensor::from_data(TensorData::new(rows, [32, 3]), &device())
}

/// A network, and the same function with its units in the order 1, 2, 0, whose weights of the third input, which do not
/// matter, are larger and in the order of the first.
pub(super) fn pair() -> [Shallow; 2] {
    let first = [[1.5, -1.0, 0.3], [0.2, 1.2, -1.4], [1.5, -1.5, 0.5]];
    let second = [1.0, -1.2, 0.8];
    let order = [1, 2, 0];
    let mut moved = first.map(|row| order.map(|unit| row[unit]));
    moved[2] = first[2].map(|weight| 2.2 * weight);
    [
        Shallow::new(&first.concat(), &second),
        Shallow::new(&moved.concat(), &order.map(|unit| second[unit])),
    ]
}

pub(super) fn loss(net: &Shallow, (x, y): (Tensor<2>, Tensor<2>)) -> Tensor<1> {
    (net.outputs(&x) - y).square().mean()
}

#[test]
fn the_loss_between_the_models_falls_where_weights_mislead() {
    let [a, b] = pair();
    let symmetries = a.symmetries();
    let data = [(inputs(), a.outputs(&inputs()))];
    let risk = Risk::new(&loss, &data);
    let by_weights = WeightMatchingConfig::new()
        .run(&symmetries, &a, &b)
        .expect("an alignment");
    assert_eq!(by_weights.element, symmetries.identity());

    let (before, other) = (parameters(&a), parameters(&b));
    let mut matching = StraightThroughConfig::new(0.05)
        .init(&symmetries, &a, &b, AdamConfig::new().init())
        .expect("a search");
    let found = matching.run(&risk, 100).expect("an alignment");
    assert_eq!(found.element.permutation(0), Some(&[2, 0, 1][..]));
    // The midpoint computes what both models do.
    assert!(found.objective.abs() < 1e-20, "{}", found.objective);
    let run = &found.record.starts[0];
    assert!(run.objectives[0] < -1.0 && run.objectives.is_sorted());
    assert_eq!(run.objectives.last(), Some(&found.objective));
    assert_eq!((run.num_sweeps, run.outcome), (100, Outcome::LimitReached));
    assert_eq!(matching.num_steps(), 100);
    let moved = found.element.apply(&b).expect("a model");
    assert!(same(&parameters(&moved), &parameters(&found.model)));
    assert!(same(&parameters(&a), &before) && same(&parameters(&b), &other));
}

#[test]
fn the_result_is_never_worse_than_weight_matching_and_continues() {
    let [a, b] = pair();
    let symmetries = a.symmetries();
    let data = [(inputs(), a.outputs(&inputs()))];
    let risk = Risk::new(&loss, &data);
    let search = || {
        StraightThroughConfig::new(0.05)
            .with_projection(CoordinateDescentConfig::new().with_seed(3))
            .init(&symmetries, &a, &b, SgdConfig::new().init())
            .expect("a search")
    };
    let at_start = search().run(&risk, 0).expect("an alignment");
    assert_eq!(at_start.element, symmetries.identity());
    let mut whole = search();
    let whole = whole.run(&risk, 20).expect("an alignment");
    assert!(whole.objective >= at_start.objective);
    let mut parts = search();
    parts.run(&risk, 7).expect("an alignment");
    let parts = parts.run(&risk, 20).expect("an alignment");
    assert_eq!(parts.record, whole.record);
}

#[test]
fn an_observer_stops_after_a_step() {
    let [a, b] = pair();
    let symmetries = a.symmetries();
    let batch = (inputs(), a.outputs(&inputs()));
    let data = [batch.clone(), batch];
    let mut steps = 0;
    let risk = Risk::new(&loss, &data).with_observer(|progress| {
        if progress.work == burnscape::loss::Work::Step {
            steps += 1;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    let mut matching = StraightThroughConfig::new(0.05)
        .init(&symmetries, &a, &b, AdamConfig::new().init())
        .expect("a search");
    let found = matching.run(&risk, 10).expect("an alignment");
    drop(risk);
    assert_eq!((steps, matching.num_steps()), (1, 1));
    assert!(!found.record.completed);
    assert_eq!(found.record.starts[0].outcome, Outcome::Stopped);
    assert_eq!(found.element, symmetries.identity());
}

#[test]
fn what_diverges_or_does_not_fit_is_refused() {
    let [a, b] = pair();
    let symmetries = a.symmetries();
    let data = [(inputs(), a.outputs(&inputs()))];
    let steep = |net: &Shallow, batch: (Tensor<2>, Tensor<2>)| loss(net, batch).mul_scalar(1e12);
    let mut wild = StraightThroughConfig::new(1e300)
        .init(&symmetries, &a, &b, SgdConfig::new().init())
        .expect("a search");
    let error = wild.run(&Risk::new(&steep, &data), 5);
    let error = error.expect_err("an error");
    assert!(
        matches!(error, AlignError::Diverged { step: 1, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("`first.weight`"), "{error}");
    let none = CoordinateDescentConfig::new().with_starts(0);
    let config = StraightThroughConfig::new(0.1).with_projection(none);
    let refused = config.init(&symmetries, &a, &b, SgdConfig::new().init());
    assert!(matches!(refused.err(), Some(AlignError::OutOfRange(_))));
    let group = burn::module::ParamGroup::all();
    let grouped = Risk::new(&loss, &data).with_group(group);
    let mut search = StraightThroughConfig::new(0.1)
        .init(&symmetries, &a, &b, SgdConfig::new().init())
        .expect("a search");
    let error = search.run(&grouped, 1).expect_err("an error");
    assert_eq!(error, AlignError::ParameterGroup);
}

#[test]
fn batch_normalization_needs_the_statistics_of_each_batch() {
    const SEED: u64 = 79;
    let net = zoo::cnn(&device(), SEED);
    let symmetries = net.symmetries();
    let b = scattered(&net.model, SEED + 1);
    let loss = |net: &Cnn, images: Tensor<4>| net.outputs(&images).square().mean();
    let data = [numbers([6, 3, 8, 8], SEED + 2, &device())];
    let search = || {
        StraightThroughConfig::new(1e-3)
            .init(&symmetries, &net.model, &b, AdamConfig::new().init())
            .expect("a search")
    };
    let risk = Risk::new(&loss, &data);
    let error = search().run(&risk, 1).expect_err("an error");
    let path = "norm1.running_mean".to_string();
    assert_eq!(error, AlignError::RunningStatistics { path });
    assert!(error.to_string().contains("with_mode(Mode::Train)"));

    let risk = risk.with_mode(Mode::Train);
    let before = parameters(&b);
    let found = search().run(&risk, 2).expect("an alignment");
    assert!(found.record.completed && found.objective.is_finite());
    assert!(found.record.starts[0].objectives.is_sorted());
    assert_eq!(found.record.groups, [0, 1, 2]);
    assert!(same(&parameters(&b), &before));
}
