//! Posteriors of Burn models: the potential of a risk, groups of parameters, modes, observers.

use std::ops::ControlFlow;
use std::sync::Mutex;

use burn::module::{Module, Param, ParamGroup};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Tensor, TensorData};
use burnscape::loss::Work;
use burnscape::posterior::{
    Finding, LearningCoefficientConfig, PosteriorConfig, PosteriorError, Potential, Sampler,
};
use burnscape::prelude::*;
use burnscape_testkit::double::device;
use burnscape_testkit::models::{Normalized, TwoLayers};

use super::potentials::{ReducedRank, assert_mean, at, bits};

/// `½ |a|² + ½ |b|²`.
#[derive(Module, Debug)]
struct Two {
    a: Param<Tensor<1>>,
    b: Param<Tensor<1>>,
}

impl Two {
    fn new() -> Self {
        let zeros = |count| Param::from_tensor(Tensor::zeros([count], &device()));
        Self {
            a: zeros(8),
            b: zeros(20),
        }
    }
}

fn squares(model: &Two, _: Tensor<1>) -> Tensor<1> {
    (model.a.val().square().sum() + model.b.val().square().sum()) * 0.5
}

fn nothing() -> [Tensor<1>; 1] {
    [Tensor::zeros([1], &device())]
}

#[test]
fn a_group_of_parameters_has_the_coefficient_of_its_part() {
    let (model, data) = (Two::new(), nothing());
    let risk = Risk::new(&squares, &data);
    let config = at(100.0)
        .with_num_chains(2)
        .with_burn_in(200)
        .with_num_draws(500);
    let half = 0.5 * 100.0 / 101.0;
    for (risk, count) in [
        (risk.clone(), 28.0),
        (risk.clone().with_group(ParamGroup::from_path("a")), 8.0),
        (risk.with_group(ParamGroup::from_path("b")), 20.0),
    ] {
        let posterior = config.run(&risk, &model).unwrap();
        assert_mean(&posterior, count * half);
        assert!((posterior.sharpness.unwrap() - 1.0).abs() < 2e-3);
    }
    // The model stays where it is.
    assert_eq!(model.a.val().abs().sum().into_scalar::<f64>(), 0.0);
}

/// Two layers without biases.
#[derive(Module, Debug)]
struct Map {
    first: Linear,
    second: Linear,
}

impl Map {
    fn new() -> Self {
        let layer = || LinearConfig::new(2, 2).with_bias(false).init(&device());
        let map = Self {
            first: layer(),
            second: layer(),
        };
        let space = ParamSpace::of(&map).unwrap();
        let zeros = ParamVector::from_host(&space, &[0.0; 8]).unwrap();
        zeros.apply_to(&map).unwrap()
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.second.forward(self.first.forward(x))
    }
}

/// The outputs squared, the mean over examples: `½ |W₁ W₂|²` of the two unit vectors.
fn energy(map: &Map, x: Tensor<2>) -> Tensor<1> {
    let [count, _] = x.dims();
    map.forward(x).square().sum() / count as f64
}

fn rows(rows: &[[f64; 2]]) -> Tensor<2> {
    let data = TensorData::new(rows.as_flattened().to_vec(), [rows.len(), 2]);
    Tensor::from_data(data, &device())
}

#[test]
fn the_potential_of_a_network_is_that_of_reduced_rank_regression() {
    let (map, data) = (Map::new(), [rows(&[[1.0, 0.0], [0.0, 1.0]])]);
    let risk = Risk::new(&energy, &data);
    let potential = risk.potential(&map).unwrap();
    let host = ReducedRank::new([2, 2, 2], 1);
    // Burn's matrices are the transposes.
    let transposed = |w: &[f64]| {
        [0, 2, 1, 3, 4, 6, 5, 7]
            .map(|index: usize| w[index])
            .to_vec()
    };
    let w: Vec<f64> = (0..8).map(|i| (1.3 * f64::from(i)).sin()).collect();
    let start = potential.start().unwrap();
    let there = ParamVector::from_host(start.space(), &w).unwrap();
    let (loss, gradient) = potential.loss_and_gradient(&there, None).unwrap();
    let (expected, slopes) = host.loss_and_gradient(&transposed(&w), None).unwrap();
    assert!((loss - expected).abs() < 1e-13, "{loss} {expected}");
    let gradient = transposed(&gradient.to_host().unwrap());
    for (found, expected) in gradient.iter().zip(&slopes) {
        assert!((found - expected).abs() < 1e-13, "{found} {expected}");
    }
    // A saddle, where the Hessian vanishes.
    assert!(potential.sharpness().unwrap().abs() < 1e-10);
}

#[test]
fn a_network_at_the_zero_map_has_the_coefficient_of_reduced_rank_regression() {
    let (map, data) = (Map::new(), [rows(&[[1.0, 0.0], [0.0, 1.0]])]);
    let risk = Risk::new(&energy, &data);
    for seed in 0..3 {
        let config = at(100.0).with_num_chains(2).with_seed(seed);
        let config = config.with_burn_in(300).with_num_draws(800);
        let posterior = config.run(&risk, &map).unwrap();
        let found = posterior.nbeta_rise();
        // Four standard deviations over seeds.
        assert!((found - 1.356324).abs() < 0.45, "{found}");
        assert_eq!(posterior.share_below(), Some(0.0));
    }
}

#[test]
fn batches_of_a_risk_are_weighed_by_their_examples() {
    let map = Map::new();
    let data = [
        rows(&[[1.0, 0.5], [0.0, 1.0], [-1.0, 0.3]]),
        rows(&[[0.2, -0.7]]),
    ];
    let risk = Risk::new(&energy, &data);
    let potential = risk.potential(&map).unwrap();
    assert_eq!(potential.batch_weights().unwrap(), [3.0, 1.0]);
    let start = potential.start().unwrap();
    let w = potential.gaussian(3).unwrap();
    let again = potential.gaussian(3).unwrap();
    assert_eq!(again.to_host().unwrap(), w.to_host().unwrap());
    let (loss, gradient) = potential.loss_and_gradient(&w, None).unwrap();
    let [one, other] = [0, 1].map(|batch| potential.loss_and_gradient(&w, Some(batch)).unwrap());
    assert!((loss - 0.75 * one.0 - 0.25 * other.0).abs() < 1e-13);
    let rest = gradient.axpy(-0.75, &one.1).unwrap();
    let rest = rest.axpy(-0.25, &other.1).unwrap();
    assert!(rest.norm().unwrap() < 1e-12);
    assert_eq!(start.norm().unwrap(), 0.0);

    let config = at(100.0)
        .with_sampler(Sampler::Langevin { step: Some(1e-3) })
        .with_burn_in(5)
        .with_num_draws(10)
        .with_batches_per_step(Some(2));
    let posterior = config.run(&risk, &map).unwrap();
    assert!(posterior.share_below().is_none());
    // Two drawn batches an iteration: of all data in the mean.
    let passes = posterior.cost.num_gradients as f64 / (4.0 * 15.0);
    assert!((0.8..1.6).contains(&passes), "{passes}");
    let many = config.with_batches_per_step(Some(3)).run(&risk, &map);
    let error = many.unwrap_err().to_string();
    assert!(
        error.contains("`batches_per_step` is 3") && error.contains("1 to 2"),
        "{error}"
    );
}

/// The inverse root of the preconditioner, on the device and on the host.
#[test]
fn the_preconditioner_of_a_model_is_that_of_its_numbers() {
    let (model, data) = (Two::new(), nothing());
    let potential = Risk::new(&squares, &data).potential(&model).unwrap();
    let w = potential.gaussian(1).unwrap();
    let square = w.clone().hadamard(&w).unwrap();
    let found = potential.inverse_root(&square, 0.1).unwrap();
    let pairs = found
        .to_host()
        .unwrap()
        .into_iter()
        .zip(w.to_host().unwrap());
    for (found, w) in pairs {
        assert!((found * (0.1 + w.abs()) - 1.0).abs() < 1e-13);
    }
}

/// Inputs and targets of a regression.
type Pairs = (Tensor<2>, Tensor<2>);

fn waves(shape: [usize; 2], phase: f64) -> Tensor<2> {
    let count = shape[0] * shape[1];
    let wave = |index: usize| (1.0 + 0.37 * (index as f64 + phase).powf(1.31)).sin();
    let values: Vec<f64> = (0..count).map(wave).collect();
    Tensor::from_data(TensorData::new(values, shape), &device())
}

/// The model with normal weights.
fn drawn<M: Module>(model: &M) -> M {
    let space = ParamSpace::of(model).unwrap();
    let weights = ParamVector::gaussian(&space, 5).unwrap();
    weights.apply_to(model).unwrap()
}

fn outputs(net: &TwoLayers, x: Tensor<2>) -> Tensor<2> {
    net.forward(x, Tensor::tanh)
}

fn squared(net: &TwoLayers, (x, y): Pairs) -> Tensor<1> {
    (outputs(net, x) - y).square().mean()
}

#[test]
fn an_untrained_network_is_refused_and_the_same_against_its_own_outputs_is_not() {
    let net = drawn(&TwoLayers::new([3, 5, 2], &device()));
    let x = waves([12, 3], 0.5);
    let posterior = at(100.0)
        .with_num_chains(2)
        .with_burn_in(60)
        .with_num_draws(60);
    let config = LearningCoefficientConfig::new(posterior).with_localizer_check(false);
    let targets = [waves([12, 2], 9.0), outputs(&net, x.clone())];
    let [untrained, own] = targets.map(|y| {
        let data = [(x.clone(), y)];
        config.run(&Risk::new(&squared, &data), &net).unwrap()
    });
    assert!(untrained.is_refused() && untrained.coefficient.is_none());
    let text = untrained.to_string();
    let start = "no learning coefficient: the model is no minimum of the loss";
    assert!(text.starts_with(start), "{text}");
    let Some(Finding::NoMinimum { is_descent, .. }) = untrained.findings.first() else {
        panic!("{text}");
    };
    assert!(*is_descent && untrained.base_gradient_norm > 1e-2);
    assert!(!own.is_refused(), "{own}");
    assert!(own.base_loss < 1e-25 && own.descent_drop.unwrap() < 1e-20);
    // Between nothing and half of the 32 parameters.
    let coefficient = own.coefficient.unwrap();
    assert!(coefficient > 0.5 && coefficient < 16.0, "{own}");
}

#[test]
fn batch_norm_is_evaluated_with_its_running_statistics_which_stay() {
    let net = drawn(&Normalized::new([3, 4, 2], &device().autodiff()));
    let loss = |net: &Normalized, (x, y): Pairs| (net.forward(x) - y).square().mean();
    let data = [(waves([9, 3], 0.5), waves([9, 2], 7.0))];
    let risk = Risk::new(&loss, &data);
    let config = at(100.0)
        .with_num_chains(2)
        .with_burn_in(10)
        .with_num_draws(20);
    let running = |net: &Normalized| net.running().map(|values| values.into_data());
    let before = running(&net);
    let found = config.run(&risk, &net).unwrap();
    let after = running(&net);
    for (before, after) in before.iter().zip(&after) {
        before.assert_eq(after, true);
    }
    let base = risk.loss(&net).unwrap().value;
    assert!((found.base_loss / base - 1.0).abs() < 1e-12);
    // A model in training, or not, or on two threads.
    assert_eq!(
        bits(&config.run(&risk, &net.valid()).unwrap()),
        bits(&found)
    );
    let threads = config.with_num_threads(2);
    assert_eq!(bits(&threads.run(&risk, &net).unwrap()), bits(&found));
}

#[test]
fn the_observer_of_a_risk_sees_draws_and_stops_them() {
    let (model, data) = (Two::new(), nothing());
    let config = at(100.0)
        .with_num_chains(2)
        .with_burn_in(10)
        .with_num_draws(20);
    let whole = config.run(&Risk::new(&squares, &data), &model).unwrap();
    let run = |config: &PosteriorConfig, last: usize| {
        let seen: Mutex<Vec<(usize, f64)>> = Mutex::default();
        let risk = Risk::new(&squares, &data).with_observer(|progress| {
            assert_eq!(progress.work, Work::Sample);
            assert_eq!(progress.total, Some(60));
            let mut seen = seen.lock().unwrap();
            seen.push((progress.done, progress.value.unwrap()));
            if seen.len() < last {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        let found = config.run(&risk, &model).unwrap();
        drop(risk);
        (found, seen.into_inner().unwrap())
    };
    let (found, seen) = run(&config, usize::MAX);
    assert!(found.completed);
    assert_eq!(bits(&found), bits(&whole));
    let done: Vec<usize> = seen.iter().map(|(done, _)| *done).collect();
    assert_eq!(done, (1..=30).map(|round| 2 * round).collect::<Vec<_>>());
    let last = seen.last().unwrap().1;
    let mean = 0.5 * (whole.rises[0][19] + whole.rises[1][19]);
    assert!((last - mean).abs() < 1e-15);
    let (stopped, seen) = run(&config, 17);
    assert!(!stopped.completed && seen.len() == 17);
    let record = stopped.record().clone();
    let risk = Risk::new(&squares, &data);
    let resumed = config.resume(&risk, &model, record).unwrap();
    assert_eq!(bits(&resumed), bits(&whole));
}

#[test]
fn errors_of_the_loss_keep_their_shape() {
    let (model, data) = (Two::new(), nothing());
    let config = at(100.0).with_burn_in(5).with_num_draws(10);
    let infinite = |model: &Two, x: Tensor<1>| squares(model, x) / 0.0;
    let error = config.run(&Risk::new(&infinite, &data), &model);
    let error = error.unwrap_err();
    assert!(matches!(error, PosteriorError::BadStart { .. }), "{error}");
    let far = |model: &Two, x: Tensor<1>| {
        let size: f64 = model.a.val().abs().max().into_scalar();
        assert!(size < 1e-3, "too far");
        squares(model, x)
    };
    let risk = Risk::new(&far, &data);
    let config = config.with_sampler(Sampler::langevin());
    let config = config.with_sharpness(Some(1.0));
    for threads in [1, 2] {
        let error = config.clone().with_num_threads(threads);
        let error = error.run(&risk, &model).unwrap_err();
        assert!(error.to_string().contains("too far"), "{error}");
        let error = burnscape::Error::from(error);
        assert!(matches!(error, burnscape::Error::Loss(_)), "{error}");
    }
}
