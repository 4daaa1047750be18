//! Three networks on handwritten digits, on the way to a minimum: an MLP, a CNN with batch norm, a transformer.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::optim::SgdConfig;
use burn::optim::momentum::MomentumConfig;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burnscape::loss::Batch;
use burnscape::optim::ClosureStep;
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::double::device;

pub(crate) use crate::survey::data::Digits;
use crate::survey::data::Split;

/// The first digits.
pub(crate) fn digits(count: usize) -> Digits {
    let split = Split::load(&device().autodiff()).unwrap();
    let some: Vec<usize> = (0..count).collect();
    split.train.select(&some).unwrap()
}

pub(crate) trait Network: Module + Sized + 'static {
    const NAME: &'static str;

    /// Narrow, with about 500 parameters, or with 1,000 and more.
    fn new(is_narrow: bool) -> Self;

    /// The logits of images `[n, 8, 8]`.
    fn logits(&self, images: Tensor<3>) -> Tensor<2>;

    fn loss(&self, digits: Digits) -> Tensor<1> {
        let logits = self.logits(digits.images);
        let criterion = CrossEntropyLossConfig::new().init(&logits.device());
        criterion.forward(logits, digits.labels)
    }

    /// The network after 60 steps on 256 digits, from weights that are the same on every machine.
    fn trained(is_narrow: bool) -> Self {
        let data = digits(256);
        let mut network = seeded(&Self::new(is_narrow)).train();
        let momentum = MomentumConfig::new()
            .with_momentum(0.875)
            .with_dampening(0.0);
        let mut sgd = SgdConfig::new().with_momentum(Some(momentum)).init();
        for _ in 0..60 {
            sgd.closure_step(0.05, &mut network, |network: &Self| {
                network.loss(data.clone())
            })
            .unwrap();
        }
        network
    }
}

/// Weights drawn by a seed, of the size that their inputs ask for; no biases, and norms that change nothing.
fn seeded<M: Module>(network: &M) -> M {
    let space = ParamSpace::of(network).unwrap();
    let mut values = vec![0.0; space.len()];
    let draws = ParamVector::gaussian(&space, 3).unwrap().to_host().unwrap();
    for leaf in space.leaves() {
        let inputs: Option<usize> = match leaf.shape() {
            [inputs, _] => Some(*inputs),
            [_, rest @ ..] if rest.len() > 1 => Some(rest.iter().product()),
            _ => None,
        };
        let alike = f64::from(u8::from(leaf.path().ends_with("gamma")));
        for place in leaf.offset()..leaf.offset() + leaf.len() {
            let drawn = |inputs: usize| draws[place] / (inputs as f64).sqrt();
            values[place] = inputs.map_or(alike, drawn);
        }
    }
    let weights = ParamVector::from_host(&space, &values).unwrap();
    weights.apply_to(network).unwrap()
}

fn linear(from: usize, to: usize) -> Linear {
    LinearConfig::new(from, to).init(&device())
}

/// 64-16-16-10 with tanh: 1,482 parameters; or 64-6-6-10.
#[derive(Module, Debug)]
pub(crate) struct Mlp {
    first: Linear,
    second: Linear,
    last: Linear,
}

impl Network for Mlp {
    const NAME: &'static str = "MLP";

    fn new(is_narrow: bool) -> Self {
        let width = if is_narrow { 6 } else { 16 };
        Self {
            first: linear(64, width),
            second: linear(width, width),
            last: linear(width, 10),
        }
    }

    fn logits(&self, images: Tensor<3>) -> Tensor<2> {
        let x = self.first.forward(images.flatten::<2>(1, 2)).tanh();
        self.last.forward(self.second.forward(x).tanh())
    }
}

/// Two convolutions with batch norm, ReLU and pooling: 1,052 parameters, or half of that.
#[derive(Module, Debug)]
pub(crate) struct Cnn {
    first: Conv2d,
    first_norm: BatchNorm,
    second: Conv2d,
    second_norm: BatchNorm,
    pool: MaxPool2d,
    last: Linear,
}

impl Network for Cnn {
    const NAME: &'static str = "CNN";

    fn new(is_narrow: bool) -> Self {
        let (first, second) = if is_narrow { (4, 6) } else { (6, 10) };
        let conv = |from, to| {
            Conv2dConfig::new([from, to], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(&device())
        };
        Self {
            first: conv(1, first),
            first_norm: BatchNormConfig::new(first).init(&device()),
            second: conv(first, second),
            second_norm: BatchNormConfig::new(second).init(&device()),
            pool: MaxPool2dConfig::new([2, 2]).init(),
            last: linear(4 * second, 10),
        }
    }

    fn logits(&self, images: Tensor<3>) -> Tensor<2> {
        let x = images.unsqueeze_dim::<4>(1);
        let x = relu(self.first_norm.forward(self.first.forward(x)));
        let x = self.pool.forward(x);
        let x = relu(self.second_norm.forward(self.second.forward(x)));
        self.last.forward(self.pool.forward(x).flatten(1, 3))
    }
}

/// The rows of an image as eight tokens, one encoder layer of two heads: 1,322 parameters, or half of that.
#[derive(Module, Debug)]
pub(crate) struct Transformer {
    rows: Linear,
    encoder: TransformerEncoder,
    last: Linear,
}

impl Network for Transformer {
    const NAME: &'static str = "transformer";

    fn new(is_narrow: bool) -> Self {
        let (width, inner) = if is_narrow { (8, 8) } else { (12, 16) };
        let encoder = TransformerEncoderConfig::new(width, inner, 2, 1).with_dropout(0.0);
        Self {
            rows: linear(8, width),
            encoder: encoder.init(&device()),
            last: linear(width, 10),
        }
    }

    fn logits(&self, images: Tensor<3>) -> Tensor<2> {
        let tokens = self.rows.forward(images);
        let encoded = self.encoder.forward(TransformerEncoderInput::new(tokens));
        let mean = encoded.mean_dim(1).squeeze_dim::<2>(1);
        self.last.forward(mean)
    }
}
