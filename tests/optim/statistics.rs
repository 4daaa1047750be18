//! Batch normalization: curvature is that of the function that is trained, and running statistics move
//! once a step.

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{Tensor, TensorData};
use burnscape::optim::{OptimError, SaddleFreeNewtonConfig, SamConfig};
use burnscape::space::{RunningStatistics, unshared_copy};

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

/// Far from mean zero and variance one, which the running statistics start with.
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
    let config = SamConfig::sa_gd_trust_region(0).with_rho(0.02);
    let mut sam = config.init(sgd()).expect("a valid configuration");
    let report = sam
        .step_on(0.1, &mut model, batch(), &loss)
        .expect("a step");
    assert_eq!(statistics(&model), expected);
    // The Hessian is that of training, with the statistics of the batch: its model is right.
    let inner = report.inner.expect("a maximization");
    let rise = report.perturbed_loss.expect("a loss") - report.loss.expect("a loss");
    assert!(inner.converged && inner.certified);
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
    let mut sam = SamConfig::sa_gd_trust_region(0).init(sgd()).expect("valid");
    let error = sam.step_on(0.1, &mut model, batch(), &reads);
    assert!(matches!(error, Err(OptimError::Curvature(_))), "{error:?}");
    assert_eq!(statistics(&model), before);
}
