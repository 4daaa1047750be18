//! The two networks, as one would write them without Burnscape.

use std::fmt;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use clap::ValueEnum;
use serde::Serialize;

const NUM_CLASSES: usize = 10;

#[derive(ValueEnum, Serialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ModelName {
    /// Two convolutions (8 and 16 channels) with batch norm, and a linear layer.
    Cnn,
    /// 64-128-64-10 with rectifiers.
    Mlp,
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cnn => "cnn",
            Self::Mlp => "mlp",
        })
    }
}

/// A network that tells digits apart.
pub(crate) trait Classifier: Module + 'static {
    fn new(device: &Device) -> Self;

    /// One score for every digit: `[n, 8, 8]` to `[n, 10]`.
    fn logits(&self, images: Tensor<3>) -> Tensor<2>;
}

#[derive(Module, Debug)]
pub(crate) struct Cnn {
    first: Conv2d,
    first_norm: BatchNorm,
    second: Conv2d,
    second_norm: BatchNorm,
    pool: MaxPool2d,
    last: Linear,
}

impl Classifier for Cnn {
    fn new(device: &Device) -> Self {
        let convolution = |from, to| {
            Conv2dConfig::new([from, to], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_bias(false)
                .init(device)
        };
        Self {
            first: convolution(1, 8),
            first_norm: BatchNormConfig::new(8).init(device),
            second: convolution(8, 16),
            second_norm: BatchNormConfig::new(16).init(device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            last: LinearConfig::new(16 * 2 * 2, NUM_CLASSES).init(device),
        }
    }

    fn logits(&self, images: Tensor<3>) -> Tensor<2> {
        let x = images.unsqueeze_dim::<4>(1);
        let x = relu(self.first_norm.forward(self.first.forward(x)));
        let x = self.pool.forward(x);
        let x = relu(self.second_norm.forward(self.second.forward(x)));
        let x = self.pool.forward(x);
        self.last.forward(x.flatten(1, 3))
    }
}

#[derive(Module, Debug)]
pub(crate) struct Mlp {
    first: Linear,
    second: Linear,
    last: Linear,
}

impl Classifier for Mlp {
    fn new(device: &Device) -> Self {
        Self {
            first: LinearConfig::new(64, 128).init(device),
            second: LinearConfig::new(128, 64).init(device),
            last: LinearConfig::new(64, NUM_CLASSES).init(device),
        }
    }

    fn logits(&self, images: Tensor<3>) -> Tensor<2> {
        let x = relu(self.first.forward(images.flatten(1, 2)));
        let x = relu(self.second.forward(x));
        self.last.forward(x)
    }
}

/// The wide MLP: 64-128-128-128-10 with rectifiers, for paths.
#[derive(Module, Debug)]
pub(crate) struct DeepMlp {
    hidden: [Linear; 3],
    last: Linear,
}

impl Classifier for DeepMlp {
    fn new(device: &Device) -> Self {
        let hidden = |from| LinearConfig::new(from, 128).init(device);
        Self {
            hidden: [hidden(64), hidden(128), hidden(128)],
            last: LinearConfig::new(128, NUM_CLASSES).init(device),
        }
    }

    fn logits(&self, images: Tensor<3>) -> Tensor<2> {
        let input = images.flatten(1, 2);
        let hidden = self.hidden.iter();
        self.last
            .forward(hidden.fold(input, |x, layer| relu(layer.forward(x))))
    }
}
