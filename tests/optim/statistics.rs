//! Batch normalization: curvature belongs to the function in training, and running statistics change once per step.

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{Tensor, TensorData};
use burnscape::loss::Risk;
use burnscape::optim::{OptimError, SaddleFreeNewtonConfig, SamConfig, SwaConfig};
use burnscape::space::{ParamSpace, ParamVector, RunningStatistics, unshared_copy};
use burnscape_testkit::models::Normalized;

use super::fixture::{assert_near, device, sgd};

#[derive(Module, Debug)]
struct Normed {
    norm: BatchNorm,
    linear: Linear,
}

impl Normed {
    fn new() -> Self {
        let device = device();
        Self {
            norm: BatchNormConfig::new(3).init(&device),
            linear: LinearConfig::new(3, 1)
                .with_initializer(burn::nn::Initializer::Constant { value: 0.4 })
                .init(&device),
        }
    }

    fn loss(&self, x: Tensor<2>) -> Tensor<1> {
        let output = self.linear.forward(self.norm.forward(x));
        (output - 1.0).square().mean()
    }
}

/// Far from mean zero and variance one, the initial running statistics.
fn batch() -> Tensor<2> {
    let numbers: Vec<f64> = (0..24)
        .map(|i| 5.0 + 3.0 * (1.7 * f64::from(i)).sin())
        .collect();
    Tensor::from_data(TensorData::new(numbers, [8, 3]), &device())
}

fn statistics(model: &Normed) -> Vec<f64> {
    let statistics = RunningStatistics::of(model);
    let numbers = ["norm.running_mean", "norm.running_var"].map(|path| {
        let values = statistics.get(path).expect("a statistic").clone();
        values.into_data().iter::<f64>().collect::<Vec<f64>>()
    });
    numbers.concat()
}

#[test]
fn steps_with_curvature_move_running_statistics_once() {
    let loss = |m: &Normed, x: Tensor<2>| m.loss(x);
    let expected = {
        let model = unshared_copy(&Normed::new());
        let _ = model.loss(batch());
        statistics(&model)
    };
    assert_ne!(expected, statistics(&Normed::new()));

    let mut model = Normed::new();
    let config = SamConfig::sa_gd_trust_region().with_seed(0).with_rho(0.02);
    let mut sam = config.init(sgd()).expect("a valid configuration");
    let report = sam
        .step_on(0.1, &mut model, batch(), &loss)
        .expect("a step");
    assert_eq!(statistics(&model), expected);
    // The Hessian belongs to training mode, with the statistics of the batch: its model is right.
    let inner = report.inner.expect("a maximization");
    let rise = report.perturbed_loss.expect("a loss") - report.loss.expect("a loss");
    assert!(inner.outcome.is_converged() && inner.certified);
    assert_near(rise / inner.rise, 1.0, 0.01);

    let mut model = Normed::new();
    let mut newton = SaddleFreeNewtonConfig::new()
        .init()
        .expect("a valid configuration");
    newton
        .step_on(0.1, &mut model, batch(), &loss)
        .expect("a step");
    assert_eq!(statistics(&model), expected);
}

#[test]
fn a_refused_step_leaves_running_statistics_alone() {
    let reads = |m: &Normed, x: Tensor<2>| {
        let loss = m.loss(x);
        let value: f32 = loss.clone().inner().into_scalar();
        loss * value
    };
    let mut model = Normed::new();
    let before = statistics(&model);
    let mut newton = SaddleFreeNewtonConfig::new()
        .init()
        .expect("a valid configuration");
    let error = newton.step_on(0.1, &mut model, batch(), &reads);
    assert!(matches!(error, Err(OptimError::Curvature(_))), "{error:?}");
    assert_eq!(statistics(&model), before);
    let mut sam = SamConfig::sa_gd_trust_region()
        .with_seed(0)
        .init(sgd())
        .expect("valid");
    let error = sam.step_on(0.1, &mut model, batch(), &reads);
    assert!(matches!(error, Err(OptimError::Curvature(_))), "{error:?}");
    assert_eq!(statistics(&model), before);
}

#[test]
fn an_averaged_model_has_the_statistics_of_the_data_at_its_own_weights() {
    let start = Normalized::new([3, 4, 2], &device());
    let space = ParamSpace::of(&start).expect("a space");
    let mut swa = SwaConfig::new().init().expect("a mean");
    for (step, seed) in [3, 8].into_iter().enumerate() {
        let weights = ParamVector::gaussian(&space, seed).expect("weights");
        let model = weights.apply_to(&start).expect("a model");
        swa.update(step, &model).expect("an update");
    }
    let loss = |m: &Normalized, x: Tensor<2>| (m.forward(x) - 1.0).square().mean();
    // Three quarters of the data, and one.
    let data = [batch().slice([0..6, 0..3]), batch().slice([6..8, 0..3])];
    let numbers = |values: Tensor<1>| values.into_data().iter::<f64>().collect::<Vec<_>>();
    let running = |model: &Normalized| model.running().map(numbers);

    let stale = swa.average(&start).expect("a mean");
    assert_eq!(running(&stale), running(&start));
    let risk = Risk::new(&loss, &data);
    let averaged = swa.average_on(&risk, &start).expect("a mean");
    let [own, same] = [&averaged, &stale].map(|model| {
        let weights = ParamVector::from_module(&space, model).expect("weights");
        weights.to_host().expect("numbers")
    });
    assert_eq!(own, same);

    let hidden = data.clone().map(|x| averaged.first.forward(x).inner());
    let mean = |x: &Tensor<2>| x.clone().mean_dim(0).reshape([4]);
    let variance = |x: &Tensor<2>| (x.clone() - x.clone().mean_dim(0)).square().mean_dim(0);
    let expected = [
        mean(&hidden[0]) * 0.75 + mean(&hidden[1]) * 0.25,
        (variance(&hidden[0]) * 0.75 + variance(&hidden[1]) * 0.25).reshape([4]),
    ];
    for (found, expected) in running(&averaged)
        .iter()
        .flatten()
        .zip(expected.map(numbers).concat())
    {
        assert_near(*found, expected, 1e-5 * expected.abs().max(1.0));
    }
}
