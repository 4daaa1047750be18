//! Residual networks with shortcut convolutions, with activations before or after the sums; and a residual stream.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d, RmsNorm, RmsNormConfig,
};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::specimen::{Specimen, group};
use super::values::{numbers, scattered};

/// Without a bias, as before batch normalization.
fn conv(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Conv2d {
    let padding = kernel / 2;
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(
            padding, padding, padding, padding,
        ))
        .with_bias(false)
        .init(device)
}

fn norm(channels: usize, device: &Device) -> BatchNorm {
    BatchNormConfig::new(channels).init(device)
}

#[derive(Module, Debug)]
struct Shortcut {
    conv: Conv2d,
    /// Only after activations.
    norm: Option<BatchNorm>,
}

#[derive(Module, Debug)]
struct Block {
    norm1: BatchNorm,
    conv1: Conv2d,
    norm2: BatchNorm,
    conv2: Conv2d,
    shortcut: Option<Shortcut>,
}

impl Block {
    fn new(
        [from, inner, to]: [usize; 3],
        stride: usize,
        activates_first: bool,
        device: &Device,
    ) -> Self {
        let shortcut = (stride != 1 || from != to).then(|| Shortcut {
            conv: conv([from, to], 1, stride, device),
            norm: (!activates_first).then(|| norm(to, device)),
        });
        let widths = match activates_first {
            true => [from, inner],
            false => [inner, to],
        };
        Self {
            norm1: norm(widths[0], device),
            conv1: conv([from, inner], 3, stride, device),
            norm2: norm(widths[1], device),
            conv2: conv([inner, to], 3, 1, device),
            shortcut,
        }
    }

    fn activated_first(&self, x: Tensor<4>) -> Tensor<4> {
        let active = relu(self.norm1.forward(x.clone()));
        let beside = match &self.shortcut {
            Some(shortcut) => shortcut.conv.forward(active.clone()),
            None => x,
        };
        let hidden = relu(self.norm2.forward(self.conv1.forward(active)));
        self.conv2.forward(hidden) + beside
    }

    fn activated_last(&self, x: Tensor<4>) -> Tensor<4> {
        let hidden = relu(self.norm1.forward(self.conv1.forward(x.clone())));
        let hidden = self.norm2.forward(self.conv2.forward(hidden));
        let beside = match &self.shortcut {
            Some(shortcut) => {
                let beside = shortcut.conv.forward(x);
                match &shortcut.norm {
                    Some(norm) => norm.forward(beside),
                    None => beside,
                }
            }
            None => x,
        };
        relu(hidden + beside)
    }
}

/// Three blocks: one of 5 channels, one from 5 to 8, and one of 8.
#[derive(Module, Debug)]
pub(crate) struct Residual {
    stem: Conv2d,
    /// After the stem, or at the end where activations come first.
    norm: BatchNorm,
    blocks: Vec<Block>,
    pool: AdaptiveAvgPool2d,
    head: Linear,
    activates_first: bool,
}

impl Residual {
    fn new(activates_first: bool, device: &Device) -> Self {
        let block =
            |widths: [usize; 3], stride: usize| Block::new(widths, stride, activates_first, device);
        Self {
            stem: conv([3, 5], 3, 1, device),
            norm: norm(if activates_first { 8 } else { 5 }, device),
            blocks: vec![
                block([5, 6, 5], 1),
                block([5, 7, 8], 2),
                block([8, 9, 8], 1),
            ],
            pool: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            head: LinearConfig::new(8, 4).init(device),
            activates_first,
        }
    }

    fn outputs(&self, images: &Tensor<4>) -> Tensor<2> {
        let mut x = self.stem.forward(images.clone());
        if self.activates_first {
            for block in &self.blocks {
                x = block.activated_first(x);
            }
            x = relu(self.norm.forward(x));
        } else {
            x = relu(self.norm.forward(x));
            for block in &self.blocks {
                x = block.activated_last(x);
            }
        }
        self.head.forward(self.pool.forward(x).flatten::<2>(1, 3))
    }
}

pub(crate) fn residual(
    activates_first: bool,
    device: &Device,
    seed: u64,
) -> Specimen<Residual, Tensor<4>, 2> {
    // Within a block: conv1.weight 0, the norm between (4), conv2.weight 1.
    let inner = |size: usize| group(size, &[], 1 + 4 + 1);
    let (name, streams) = match activates_first {
        true => (
            "ResNet, activation first",
            [
                // stem.weight 0; block 0: norm1 (4), conv1.weight 1, conv2.weight 0; block 1: norm1 (4),
                // conv1.weight 1, shortcut.conv.weight 1.
                group(5, &[], 1 + 4 + 1 + 1 + 4 + 1 + 1),
                // Block 1: conv2.weight 0, shortcut.conv.weight 0; block 2: norm1 (4), conv1.weight 1,
                // conv2.weight 0; the last norm (4), head.weight 0.
                group(8, &[], 1 + 1 + 4 + 1 + 1 + 4 + 1),
            ],
        ),
        false => (
            "ResNet, activation last",
            [
                // stem.weight 0, the norm after it (4); block 0: conv1.weight 1, conv2.weight 0, norm2 (4);
                // block 1: conv1.weight 1, shortcut.conv.weight 1.
                group(5, &[], 1 + 4 + 1 + 1 + 4 + 1 + 1),
                // Block 1: conv2.weight 0, norm2 (4), shortcut.conv.weight 0, shortcut.norm (4); block 2:
                // conv1.weight 1, conv2.weight 0, norm2 (4); head.weight 0.
                group(8, &[], 1 + 4 + 1 + 4 + 1 + 1 + 4 + 1),
            ],
        ),
    };
    let mut expected = streams.to_vec();
    expected.extend([inner(6), inner(7), inner(9)]);
    Specimen {
        name,
        model: scattered(&Residual::new(activates_first, device), seed),
        batch: numbers([2, 3, 8, 8], seed + 1, device),
        outputs: Residual::outputs,
        expected,
    }
}

/// A stream of six channels that is read through root mean squares.
#[derive(Module, Debug)]
pub(crate) struct RootMeanSquare {
    embed: Linear,
    pub(crate) first: RmsNorm,
    widen: Linear,
    narrow: Linear,
    last: RmsNorm,
    head: Linear,
}

impl RootMeanSquare {
    pub(crate) fn new(device: &Device) -> Self {
        let linear = |from, to| LinearConfig::new(from, to).init(device);
        let norm = || RmsNormConfig::new(6).init(device);
        Self {
            embed: linear(3, 6),
            first: norm(),
            widen: linear(6, 5),
            narrow: linear(5, 6),
            last: norm(),
            head: linear(6, 2),
        }
    }

    pub(crate) fn outputs(&self, x: &Tensor<2>) -> Tensor<2> {
        let x = self.embed.forward(x.clone());
        let read = self.widen.forward(self.first.forward(x.clone()));
        let x = x + self.narrow.forward(relu(read));
        self.head.forward(self.last.forward(x))
    }
}
