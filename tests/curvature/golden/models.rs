//! The models of `golden/scripts/curvature.py`.

use burn::module::{Module, RunningState};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, LstmConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::case::device;

/// Outputs `[n, classes]` of inputs of rank `D`.
pub(crate) trait Outputs<const D: usize>: Module + 'static {
    fn outputs(&self, input: Tensor<D>) -> Tensor<2>;
}

fn linear(d_input: usize, d_output: usize) -> Linear {
    LinearConfig::new(d_input, d_output).init(&device())
}

#[derive(Module, Debug)]
pub(crate) struct Mlp {
    first: Linear,
    last: Linear,
}

impl Mlp {
    pub(crate) fn new() -> Self {
        Self {
            first: linear(3, 4),
            last: linear(4, 3),
        }
    }
}

impl Outputs<2> for Mlp {
    fn outputs(&self, input: Tensor<2>) -> Tensor<2> {
        self.last.forward(self.first.forward(input).tanh())
    }
}

#[derive(Module, Debug)]
pub(crate) struct Cnn {
    conv: Conv2d,
    norm: BatchNorm,
    pool: MaxPool2d,
    last: Linear,
}

impl Cnn {
    pub(crate) fn new(mean: Tensor<1>, variance: Tensor<1>) -> Self {
        let device: Device = device();
        let mut norm = BatchNormConfig::new(2).init(&device);
        norm.running_mean = RunningState::new(mean);
        norm.running_var = RunningState::new(variance);
        Self {
            conv: Conv2dConfig::new([1, 2], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(&device),
            norm,
            pool: MaxPool2dConfig::new([2, 2]).init(),
            last: linear(8, 3),
        }
    }
}

impl Outputs<4> for Cnn {
    fn outputs(&self, input: Tensor<4>) -> Tensor<2> {
        let hidden = relu(self.norm.forward(self.conv.forward(input)));
        self.last.forward(self.pool.forward(hidden).flatten(1, 3))
    }
}

#[derive(Module, Debug)]
pub(crate) struct Residual {
    inner: Vec<Linear>,
    outer: Vec<Linear>,
    last: Linear,
}

impl Residual {
    pub(crate) fn new() -> Self {
        Self {
            inner: vec![linear(3, 4), linear(3, 4)],
            outer: vec![linear(4, 3), linear(4, 3)],
            last: linear(3, 2),
        }
    }
}

impl Outputs<2> for Residual {
    fn outputs(&self, input: Tensor<2>) -> Tensor<2> {
        let blocks = self.inner.iter().zip(&self.outer);
        let end = blocks.fold(input, |x, (inner, outer)| {
            x.clone() + outer.forward(relu(inner.forward(x)))
        });
        self.last.forward(end)
    }
}

#[derive(Module, Debug)]
pub(crate) struct Lstm {
    lstm: burn::nn::Lstm,
    last: Linear,
}

impl Lstm {
    pub(crate) fn new() -> Self {
        Self {
            lstm: LstmConfig::new(2, 3, true).init(&device()),
            last: linear(3, 2),
        }
    }
}

impl Outputs<3> for Lstm {
    fn outputs(&self, input: Tensor<3>) -> Tensor<2> {
        let (_, state) = self.lstm.forward(input, None);
        self.last.forward(state.hidden)
    }
}

#[derive(Module, Debug)]
pub(crate) struct Transformer {
    encoder: TransformerEncoder,
    last: Linear,
}

impl Transformer {
    pub(crate) fn new() -> Self {
        let encoder = TransformerEncoderConfig::new(4, 3, 4, 1).with_dropout(0.0);
        Self {
            encoder: encoder.init(&device()),
            last: linear(4, 3),
        }
    }
}

impl Outputs<3> for Transformer {
    fn outputs(&self, input: Tensor<3>) -> Tensor<2> {
        let words = self.encoder.forward(TransformerEncoderInput::new(input));
        self.last.forward(words.mean_dim(1).squeeze_dim::<2>(1))
    }
}

#[derive(Module, Debug)]
pub(crate) struct BatchNormMlp {
    first: Linear,
    norm: BatchNorm,
    last: Linear,
}

impl BatchNormMlp {
    pub(crate) fn new() -> Self {
        Self {
            first: linear(3, 4),
            norm: BatchNormConfig::new(4).init(&device()),
            last: linear(4, 3),
        }
    }
}

impl Outputs<2> for BatchNormMlp {
    fn outputs(&self, input: Tensor<2>) -> Tensor<2> {
        let hidden = relu(self.norm.forward(self.first.forward(input)));
        self.last.forward(hidden)
    }
}
