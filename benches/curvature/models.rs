//! The networks that are measured, each with a criterion and one batch.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Distribution, Int, Tensor};
use burnscape::loss::{Risk, Split};

/// A classifier with inputs of rank `D`.
pub(crate) trait Classifier<const D: usize>: Module {
    fn logits(&self, input: Tensor<D>) -> Tensor<2>;
}

pub(crate) type Batch<const D: usize> = (Tensor<D>, Tensor<1, Int>);

/// Mean cross-entropy.
pub(crate) fn loss<M: Classifier<D>, const D: usize>(model: &M, batch: Batch<D>) -> Tensor<1> {
    criterion(model.logits(batch.0.clone()), batch)
}

fn criterion<const D: usize>(outputs: Tensor<2>, (_, target): Batch<D>) -> Tensor<1> {
    let device = outputs.device();
    CrossEntropyLossConfig::new()
        .init(&device)
        .forward(outputs, target)
}

/// The same over data, with outputs and criterion apart.
pub(crate) fn risk<M: Classifier<D>, const D: usize>(data: &[Batch<D>]) -> Risk<'_, M, Split> {
    Risk::split(
        |model: &M, (input, _): &Batch<D>| model.logits(input.clone()),
        criterion,
        data,
    )
}

pub(crate) fn batch<const D: usize>(shape: [usize; D], device: &Device) -> Batch<D> {
    let input = Tensor::random(shape, Distribution::Normal(0.0, 1.0), device);
    let target = Tensor::arange(0..shape[0] as i64, device).remainder_scalar(10);
    (input, target)
}

#[derive(Module, Debug)]
pub(crate) struct Mlp {
    layers: [Linear; 4],
    rectified: bool,
}

impl Mlp {
    /// 784-w-w-w-10.
    pub(crate) fn new(width: usize, rectified: bool, device: &Device) -> Self {
        let layer = |from, to| LinearConfig::new(from, to).init(device);
        let layers = [
            layer(784, width),
            layer(width, width),
            layer(width, width),
            layer(width, 10),
        ];
        Self { layers, rectified }
    }
}

impl Classifier<2> for Mlp {
    fn logits(&self, input: Tensor<2>) -> Tensor<2> {
        let [hidden @ .., last] = &self.layers;
        let end = hidden.iter().fold(input, |x, layer| match self.rectified {
            true => relu(layer.forward(x)),
            false => layer.forward(x).tanh(),
        });
        last.forward(end)
    }
}

/// The network of the survey's digits: two convolutions with batch norm on 8×8 images.
#[derive(Module, Debug)]
pub(crate) struct DigitsCnn {
    first: Conv2d,
    first_norm: BatchNorm,
    second: Conv2d,
    second_norm: BatchNorm,
    pool: MaxPool2d,
    last: Linear,
}

impl DigitsCnn {
    pub(crate) fn new(device: &Device) -> Self {
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
            last: LinearConfig::new(64, 10).init(device),
        }
    }
}

impl Classifier<4> for DigitsCnn {
    fn logits(&self, input: Tensor<4>) -> Tensor<2> {
        let x = relu(self.first_norm.forward(self.first.forward(input)));
        let x = self.pool.forward(x);
        let x = relu(self.second_norm.forward(self.second.forward(x)));
        self.last.forward(self.pool.forward(x).flatten(1, 3))
    }
}

/// Two convolutions, ReLU and max pooling on 28×28 images.
#[derive(Module, Debug)]
pub(crate) struct ConvNet {
    first: Conv2d,
    second: Conv2d,
    pool: MaxPool2d,
    last: Linear,
}

impl ConvNet {
    pub(crate) fn new(device: &Device) -> Self {
        let convolution = |from, to| Conv2dConfig::new([from, to], [3, 3]).init(device);
        Self {
            first: convolution(1, 8),
            second: convolution(8, 16),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            last: LinearConfig::new(16 * 5 * 5, 10).init(device),
        }
    }
}

impl Classifier<4> for ConvNet {
    fn logits(&self, input: Tensor<4>) -> Tensor<2> {
        let x = self.pool.forward(relu(self.first.forward(input)));
        let x = self.pool.forward(relu(self.second.forward(x)));
        self.last.forward(x.flatten(1, 3))
    }
}

/// Four encoder layers: d_model 128, four heads, d_ff 512, no dropout.
#[derive(Module, Debug)]
pub(crate) struct Transformer {
    encoder: TransformerEncoder,
    last: Linear,
}

impl Transformer {
    pub(crate) fn new(device: &Device) -> Self {
        let encoder = TransformerEncoderConfig::new(128, 512, 4, 4).with_dropout(0.0);
        Self {
            encoder: encoder.init(device),
            last: LinearConfig::new(128, 10).init(device),
        }
    }
}

impl Classifier<3> for Transformer {
    fn logits(&self, input: Tensor<3>) -> Tensor<2> {
        let words = self.encoder.forward(TransformerEncoderInput::new(input));
        self.last.forward(words.mean_dim(1).squeeze_dim::<2>(1))
    }
}
