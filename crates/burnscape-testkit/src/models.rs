//! Small networks. Their fields are public, for tests of single layers.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig, PaddingConfig2d,
};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor};

/// A classifier: logits from a batch of rank `D`.
pub trait Classifier<const D: usize>: Module + 'static {
    /// The logits `[batch, classes]`.
    fn logits(&self, input: Tensor<D>) -> Tensor<2>;

    /// The mean cross-entropy.
    fn loss(&self, input: Tensor<D>, target: Tensor<1, Int>) -> Tensor<1> {
        let cross_entropy = CrossEntropyLossConfig::new().init(&input.device());
        cross_entropy.forward(self.logits(input), target)
    }
}

/// Two hidden layers with tanh, which is smooth and odd, so that the units have a sign symmetry.
#[derive(Module, Debug)]
pub struct Mlp {
    /// First hidden layer.
    pub hidden1: Linear,
    /// Second hidden layer.
    pub hidden2: Linear,
    /// Computes the logits.
    pub output: Linear,
}

impl Mlp {
    /// The network with these widths, from the input to the classes.
    pub fn new(widths: [usize; 4], device: &Device) -> Self {
        let layer = |index: usize| LinearConfig::new(widths[index], widths[index + 1]).init(device);
        Self {
            hidden1: layer(0),
            hidden2: layer(1),
            output: layer(2),
        }
    }

    /// The widths of the golden runs: 6-8-5-3.
    pub fn golden(device: &Device) -> Self {
        Self::new([6, 8, 5, 3], device)
    }
}

impl Classifier<2> for Mlp {
    fn logits(&self, input: Tensor<2>) -> Tensor<2> {
        let hidden = self.hidden1.forward(input).tanh();
        self.output.forward(self.hidden2.forward(hidden).tanh())
    }
}

/// Two layers with an activation that the test chooses.
#[derive(Module, Debug)]
pub struct TwoLayers {
    /// Computes the hidden units.
    pub first: Linear,
    /// Computes the outputs.
    pub second: Linear,
}

impl TwoLayers {
    /// The network with these widths, from the input to the outputs.
    pub fn new([input, hidden, output]: [usize; 3], device: &Device) -> Self {
        Self {
            first: LinearConfig::new(input, hidden).init(device),
            second: LinearConfig::new(hidden, output).init(device),
        }
    }

    /// The outputs with this activation.
    pub fn forward(
        &self,
        input: Tensor<2>,
        activation: impl FnOnce(Tensor<2>) -> Tensor<2>,
    ) -> Tensor<2> {
        self.second.forward(activation(self.first.forward(input)))
    }
}

/// Two layers with batch norm and ReLU between them.
#[derive(Module, Debug)]
pub struct Normalized {
    /// Computes the hidden units.
    pub first: Linear,
    /// Normalizes the hidden units.
    pub norm: BatchNorm,
    /// Computes the outputs.
    pub second: Linear,
}

impl Normalized {
    /// The network with these widths, from the input to the outputs.
    pub fn new([input, hidden, output]: [usize; 3], device: &Device) -> Self {
        Self {
            first: LinearConfig::new(input, hidden).init(device),
            norm: BatchNormConfig::new(hidden).init(device),
            second: LinearConfig::new(hidden, output).init(device),
        }
    }

    /// The outputs.
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let hidden = relu(self.norm.forward(self.first.forward(input)));
        self.second.forward(hidden)
    }

    /// Running mean and variance, including the last update.
    pub fn running(&self) -> [Tensor<1>; 2] {
        let norm = &self.norm;
        [
            norm.running_mean.value_sync(),
            norm.running_var.value_sync(),
        ]
    }
}

/// Two layers with tanh and dropout between them.
#[derive(Module, Debug)]
pub struct Dropped {
    /// Computes the hidden units.
    pub first: Linear,
    /// Drops half of the hidden units.
    pub dropout: Dropout,
    /// Computes the outputs.
    pub second: Linear,
}

impl Dropped {
    /// The network with these widths, from the input to the outputs.
    pub fn new([input, hidden, output]: [usize; 3], device: &Device) -> Self {
        Self {
            first: LinearConfig::new(input, hidden).init(device),
            dropout: DropoutConfig::new(0.5).init(),
            second: LinearConfig::new(hidden, output).init(device),
        }
    }

    /// The outputs.
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let hidden = self.dropout.forward(self.first.forward(input).tanh());
        self.second.forward(hidden)
    }
}

/// Two convolutions with batch norm and ReLU on 8×8 images of one channel, three classes.
///
/// The bias of a convolution has no effect, because batch norm removes it.
#[derive(Module, Debug)]
pub struct Cnn {
    /// 3×3, 1 to 4 channels, padding 1.
    pub conv1: Conv2d,
    /// Normalizes the first convolution.
    pub norm1: BatchNorm,
    /// Halves the image.
    pub pool: MaxPool2d,
    /// 3×3, 4 to 6 channels, no padding.
    pub conv2: Conv2d,
    /// Normalizes the second convolution.
    pub norm2: BatchNorm,
    /// Computes the logits from 6 channels of 2×2.
    pub output: Linear,
}

impl Cnn {
    /// The network of the golden runs.
    pub fn golden(device: &Device) -> Self {
        Self {
            conv1: Conv2dConfig::new([1, 4], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device),
            norm1: BatchNormConfig::new(4).init(device),
            pool: MaxPool2dConfig::new([2, 2]).init(),
            conv2: Conv2dConfig::new([4, 6], [3, 3]).init(device),
            norm2: BatchNormConfig::new(6).init(device),
            output: LinearConfig::new(24, 3).init(device),
        }
    }

    /// The running statistics with their paths, including the last update.
    pub fn running(&self) -> [(&'static str, Tensor<1>); 4] {
        [
            ("norm1.running_mean", self.norm1.running_mean.value_sync()),
            ("norm1.running_var", self.norm1.running_var.value_sync()),
            ("norm2.running_mean", self.norm2.running_mean.value_sync()),
            ("norm2.running_var", self.norm2.running_var.value_sync()),
        ]
    }
}

impl Classifier<4> for Cnn {
    fn logits(&self, input: Tensor<4>) -> Tensor<2> {
        let first = relu(self.norm1.forward(self.conv1.forward(input)));
        let pooled = self.pool.forward(first);
        let second = relu(self.norm2.forward(self.conv2.forward(pooled)));
        self.output.forward(second.flatten(1, 3))
    }
}
