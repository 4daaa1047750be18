//! A model whose parameters are tied.

use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{Device, Tensor};
use burn::train::{InferenceStep, RegressionOutput, TrainOutput, TrainStep};
use burnscape::optim::SamConfig;

use super::model::{Points, batches, items, parameter, read, statistics};
use super::training::{Directory, Run, falling, message, sgd, strategy};

/// A model whose two fields are one parameter.
#[derive(Module, Debug)]
struct Twins {
    first: Param<Tensor<2>>,
    norm: BatchNorm,
    second: Param<Tensor<2>>,
}

impl Twins {
    fn new() -> Self {
        let device = Device::default().autodiff();
        let first = parameter([3, 3], 0.0, &device);
        let second = first.clone();
        let norm = BatchNormConfig::new(3).init(&device);
        Self {
            first,
            norm,
            second,
        }
    }

    fn loss(&self, batch: Points) -> RegressionOutput {
        let output = self.norm.forward(batch.x.matmul(self.first.val()));
        let output = output.tanh().matmul(self.second.val());
        let loss = output.clone().powi_scalar(2).mean().reshape([1]);
        RegressionOutput::new(loss, output, batch.y)
    }
}

impl TrainStep for Twins {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, batch: Points) -> TrainOutput<RegressionOutput> {
        let output = self.loss(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Twins {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, batch: Points) -> RegressionOutput {
        self.loss(batch)
    }
}

#[test]
fn tied_parameters_stay_tied_or_are_refused() {
    let config = SamConfig::new().with_restore_tied(true);
    let directory = Directory::new();
    let tied = Some(strategy(config.clone()).into());
    let trained = Run::default()
        .launch(&directory.0, Twins::new(), tied)
        .model;

    let mut sam = config.init(sgd().init()).unwrap();
    let mut rates = falling();
    let mut model = Twins::new();
    for _ in 0..2 {
        for batch in batches(items()) {
            let closure = |model: &Twins| TrainStep::step(model, batch.clone()).grads;
            sam.step(rates.step(), &mut model, closure).unwrap();
        }
    }
    assert_eq!(read(trained.first.val()), read(model.first.val()));
    assert_eq!(read(trained.first.val()), read(trained.second.val()));
    assert_eq!(statistics(&trained.norm), statistics(&model.norm));
    assert_ne!(read(trained.first.val()), read(Twins::new().first.val()));

    let refusing = Some(strategy(SamConfig::new()).into());
    let result = Run::default().launch(&directory.0, Twins::new(), refusing);
    let text = message(&result);
    assert!(
        text.contains("`first`") && text.contains("with_restore_tied"),
        "{text}"
    );
}
