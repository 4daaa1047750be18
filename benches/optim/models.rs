use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Distribution, Int, Tensor};

/// A model with a loss on a batch of rank `D`.
pub(crate) trait Classifier<const D: usize>: Module {
    fn logits(&self, input: Tensor<D>) -> Tensor<2>;

    fn loss(&self, (input, target): &Batch<D>) -> Tensor<1> {
        let logits = self.logits(input.clone());
        CrossEntropyLossConfig::new()
            .init(&logits.device())
            .forward(logits, target.clone())
    }
}

pub(crate) type Batch<const D: usize> = (Tensor<D>, Tensor<1, Int>);

#[derive(Module, Debug)]
pub(crate) struct Mlp {
    layers: [Linear; 3],
}

impl Mlp {
    pub(crate) fn new(device: &Device) -> Self {
        let layer = |d_in, d_out| LinearConfig::new(d_in, d_out).init(device);
        Self {
            layers: [layer(784, 512), layer(512, 512), layer(512, 10)],
        }
    }
}

impl Classifier<2> for Mlp {
    fn logits(&self, input: Tensor<2>) -> Tensor<2> {
        let [first, second, last] = &self.layers;
        last.forward(relu(second.forward(relu(first.forward(input)))))
    }
}

#[derive(Module, Debug)]
pub(crate) struct Cnn {
    conv1: Conv2d,
    norm1: BatchNorm,
    conv2: Conv2d,
    norm2: BatchNorm,
    pool: MaxPool2d,
    head: Linear,
}

impl Cnn {
    pub(crate) fn new(device: &Device) -> Self {
        Self {
            conv1: Conv2dConfig::new([1, 8], [3, 3]).init(device),
            norm1: BatchNormConfig::new(8).init(device),
            conv2: Conv2dConfig::new([8, 16], [3, 3]).init(device),
            norm2: BatchNormConfig::new(16).init(device),
            pool: MaxPool2dConfig::new([2, 2]).init(),
            head: LinearConfig::new(16 * 5 * 5, 10).init(device),
        }
    }
}

impl Classifier<4> for Cnn {
    fn logits(&self, input: Tensor<4>) -> Tensor<2> {
        let first = self
            .pool
            .forward(relu(self.norm1.forward(self.conv1.forward(input))));
        let second = self
            .pool
            .forward(relu(self.norm2.forward(self.conv2.forward(first))));
        self.head.forward(second.flatten(1, 3))
    }
}

pub(crate) fn flat_batch(device: &Device) -> Batch<2> {
    (
        Tensor::random([128, 784], Distribution::Normal(0.0, 1.0), device),
        targets(128, device),
    )
}

pub(crate) fn image_batch(device: &Device) -> Batch<4> {
    (
        Tensor::random([64, 1, 28, 28], Distribution::Normal(0.0, 1.0), device),
        targets(64, device),
    )
}

fn targets(count: i64, device: &Device) -> Tensor<1, Int> {
    Tensor::arange(0..count, device).remainder_scalar(10)
}
