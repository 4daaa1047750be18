//! The networks and how they are trained: with the survey's own code.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::SgdConfig;
use burn::optim::momentum::MomentumConfig;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use burnscape::loss::Batch;

pub(crate) use survey::data::{Digits, Split};
pub(crate) use survey::models::{Classifier, Cnn};
use survey::settings::{DAMPENING, MOMENTUM};
pub(crate) use survey::train::loss;
use survey::train::{Course, train};

#[path = "../../examples/survey"]
#[allow(dead_code, reason = "the survey uses more of them")]
mod survey {
    pub(crate) mod data;
    pub(crate) mod models;
    pub(crate) mod settings;
    pub(crate) mod train;
}

const EPOCHS: usize = 10;

/// 64-512-512-10 with rectifiers: 301,066 parameters.
#[derive(Module, Debug)]
pub(crate) struct WideMlp {
    first: Linear,
    second: Linear,
    last: Linear,
}

impl Classifier for WideMlp {
    fn new(device: &Device) -> Self {
        Self {
            first: LinearConfig::new(64, 512).init(device),
            second: LinearConfig::new(512, 512).init(device),
            last: LinearConfig::new(512, 10).init(device),
        }
    }

    fn logits(&self, images: Tensor<3>) -> Tensor<2> {
        let x = relu(self.first.forward(images.flatten(1, 2)));
        self.last.forward(relu(self.second.forward(x)))
    }
}

pub(crate) fn trained<M: Classifier>(digits: &Digits, device: &Device) -> M {
    let momentum = MomentumConfig::new()
        .with_momentum(MOMENTUM)
        .with_dampening(DAMPENING);
    let sgd = SgdConfig::new().with_momentum(Some(momentum)).init();
    let num_examples = digits.num_examples().expect("a count").expect("a count");
    let course = Course {
        digits,
        num_examples,
        epochs: EPOCHS,
        seed: 0,
    };
    train(M::new(device), sgd, &course, |_| ())
        .expect("a trained network")
        .model
}
