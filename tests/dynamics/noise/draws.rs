//! Gradient noise of a loss that draws: dropout.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::tensor::Tensor;
use burnscape::dynamics::{DynamicsError, GradientNoiseConfig, NoiseEstimator};
use burnscape::loss::{LossError, Mode, Risk};
use burnscape_testkit::turn;

use super::regression::{Batch, Examples, model};

#[derive(Module, Debug)]
struct Dropped {
    linear: Linear,
    dropout: Dropout,
}

fn loss(model: &Dropped, (x, y): Batch) -> Tensor<1> {
    let x = model.dropout.forward(x);
    (model.linear.forward(x) - y).square().mean()
}

#[test]
fn draws_need_a_seed_and_add_to_the_noise() {
    let _held = turn();
    let data = Examples::new(50, 64).batches(8);
    let network = Dropped {
        linear: model(),
        dropout: DropoutConfig::new(0.5).init(),
    };
    let risk = Risk::new(&loss, &data);
    let run = |risk: &Risk<'_, Dropped>, estimator| {
        GradientNoiseConfig::new(estimator).run(risk, &network)
    };
    let per_example = NoiseEstimator::PerExample;
    let plain = run(&risk, per_example).unwrap();
    let training = risk.with_mode(Mode::Train);
    let error = run(&training, per_example).unwrap_err();
    assert_eq!(error, DynamicsError::Loss(LossError::Draws));
    let seeded = |seed| training.clone().with_draws_seed(seed);
    let one = run(&seeded(1), per_example).unwrap();
    assert!(one.trace > 1.2 * plain.trace, "{one} {plain}");
    assert_eq!(run(&seeded(1), per_example).unwrap(), one);
    assert_ne!(run(&seeded(2), per_example).unwrap().trace, one.trace);
    // Each example has the draws of its place, in both passes.
    let singles = NoiseEstimator::MicroBatches { size: Some(1) };
    let other = run(&seeded(1), singles).unwrap();
    assert!((one.trace / other.trace - 1.0).abs() < 1e-10);
    let (mine, others) = (one.gradient_norm, other.gradient_norm);
    assert!((mine / others - 1.0).abs() < 1e-10);
}
