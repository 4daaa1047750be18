//! Sharpness-aware gradients taken inside a model's own training step.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::train::{InferenceStep, RegressionOutput, TrainOutput, TrainStep};
use burnscape::optim::{Sam, SamConfig};

use super::model::{Net, Points};
use super::training::{Directory, Run, strategy, train};

/// A model that takes its sharpness-aware gradients itself.
#[derive(Module, Debug)]
struct InStep {
    net: Net,
}

impl TrainStep for InStep {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, batch: Points) -> TrainOutput<RegressionOutput> {
        let mut item = None;
        let closure = |model: &Self| {
            let output = model.net.loss(batch.clone());
            let gradients = GradientsParams::from_grads(output.loss.backward(), model);
            item.get_or_insert(output);
            gradients
        };
        let config = SamConfig::new().with_rho(0.2);
        let (grads, _) = Sam::gradients(&config, self, closure).unwrap();
        TrainOutput {
            grads,
            item: item.unwrap(),
        }
    }
}

impl InferenceStep for InStep {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, batch: Points) -> RegressionOutput {
        self.net.loss(batch)
    }
}

#[test]
fn gradients_in_a_train_step_are_those_of_the_strategy() {
    let directory = Directory::new();
    let model = InStep { net: Net::new(0.0) };
    let in_step = Run::default().launch(&directory.0, model, None).model;
    let config = SamConfig::new().with_rho(0.2);
    let trained = train(Run::default(), strategy(config), Net::new(0.0));
    assert_eq!(in_step.net.state(), trained.state());
}
