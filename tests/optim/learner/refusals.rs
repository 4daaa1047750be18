//! Configurations and models that the strategy refuses.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use burn::train::{InferenceStep, RegressionOutput, TrainOutput, TrainStep};
use burnscape::optim::{Ascent, Metric, OptimError, Sam, SamConfig};

use super::model::{Net, Points, parameter};
use super::training::{Directory, Run, message, strategy, train};

#[test]
fn variants_that_need_the_batch_are_refused_at_once() {
    let examples = Metric::ExampleFisher { eta: 1.0 };
    for config in [
        SamConfig::new().with_group_size(Some(2)),
        SamConfig::esam().with_seed(1),
        SamConfig::sa_gd_trust_region().with_seed(1),
        SamConfig::new().with_metric(examples),
    ] {
        let refused = Sam::strategy::<Net>(config).err();
        assert!(matches!(refused, Some(OptimError::Incompatible { .. })));
    }
    let refused = Sam::strategy::<Net>(SamConfig::new().with_rho(-1.0)).err();
    assert!(matches!(refused, Some(OptimError::OutOfRange(_))));
    // One start needs no loss.
    let one_start = Ascent::Projected {
        steps: 2,
        restarts: 1,
        step_size: 1.0,
    };
    let config = SamConfig::new().with_ascent(one_start);
    train(Run::default(), strategy(config), Net::new(0.0));
}

/// A model whose loss does not depend on its parameter.
#[derive(Module, Debug)]
struct Unused {
    weight: Param<Tensor<1>>,
}

impl TrainStep for Unused {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, batch: Points) -> TrainOutput<RegressionOutput> {
        let x = batch.x.require_grad();
        let loss = x.clone().mean().reshape([1]);
        TrainOutput::new(
            self,
            loss.backward(),
            RegressionOutput::new(loss, x, batch.y),
        )
    }
}

impl InferenceStep for Unused {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, batch: Points) -> RegressionOutput {
        let loss = batch.x.clone().mean().reshape([1]);
        RegressionOutput::new(loss, batch.x, batch.y)
    }
}

#[test]
fn an_error_in_a_step_stops_the_training() {
    let directory = Directory::new();
    let device = Device::default().autodiff();
    let model = Unused {
        weight: parameter([2], 0.0, &device),
    };
    let unused = Some(strategy(SamConfig::new()).into());
    let result = Run::default().launch(&directory.0, model, unused);
    let text = message(&result);
    assert!(text.contains("a sharpness-aware step failed"), "{text}");
}
