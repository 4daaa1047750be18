//! Convolutional networks, with groups, normalizations and shuffled channels.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, GroupNorm, GroupNormConfig, Linear, LinearConfig, PaddingConfig2d,
    PixelShuffle, PixelShuffleConfig,
};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::specimen::{Specimen, group};
use super::values::{numbers, scattered};

/// A convolution with odd kernels that keeps the size of the image.
fn conv(channels: [usize; 2], kernel: usize) -> Conv2dConfig {
    let padding = kernel / 2;
    let padding = PaddingConfig2d::Explicit(padding, padding, padding, padding);
    Conv2dConfig::new(channels, [kernel, kernel]).with_padding(padding)
}

/// The mean over the image.
fn pooled(x: Tensor<4>) -> Tensor<2> {
    x.mean_dim(3).mean_dim(2).flatten::<2>(1, 3)
}

/// Two convolutions with batch normalization on images of 8×8, and two linear layers.
#[derive(Module, Debug)]
pub(crate) struct Cnn {
    conv1: Conv2d,
    pub(crate) norm1: BatchNorm,
    conv2: Conv2d,
    norm2: BatchNorm,
    pool: MaxPool2d,
    hidden: Linear,
    head: Linear,
}

impl Cnn {
    pub(crate) fn outputs(&self, images: &Tensor<4>) -> Tensor<2> {
        let x = relu(self.norm1.forward(self.conv1.forward(images.clone())));
        let x = self.pool.forward(x);
        let x = relu(self.norm2.forward(self.conv2.forward(x)));
        let x = self.pool.forward(x).flatten::<2>(1, 3);
        self.head.forward(relu(self.hidden.forward(x)))
    }
}

/// As it is built: gains are 1, and so are variances.
pub(crate) fn fresh_cnn(device: &Device) -> Cnn {
    Cnn {
        conv1: conv([3, 6], 3).init(device),
        norm1: BatchNormConfig::new(6).init(device),
        conv2: conv([6, 5], 3).init(device),
        norm2: BatchNormConfig::new(5).init(device),
        pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
        hidden: LinearConfig::new(5 * 4, 9).init(device),
        head: LinearConfig::new(9, 4).init(device),
    }
}

pub(crate) fn cnn(device: &Device, seed: u64) -> Specimen<Cnn, Tensor<4>, 2> {
    Specimen {
        name: "CNN, batch norm, flatten",
        model: scattered(&fresh_cnn(device), seed),
        batch: numbers([2, 3, 8, 8], seed + 1, device),
        outputs: Cnn::outputs,
        expected: vec![
            // conv1.weight 0, conv1.bias, norm1 (gamma, beta, running_mean, running_var), conv2.weight 1.
            group(6, &[], 7),
            // conv2.weight 0, conv2.bias, norm2 (4), and hidden.weight 0 with the stride of an image, 4.
            group(5, &[], 7),
            // hidden.weight 1, hidden.bias, head.weight 0.
            group(9, &[], 3),
        ],
    }
}

/// Expanded, by channel, projected; then two filters for every channel.
#[derive(Module, Debug)]
pub(crate) struct Depthwise {
    convs: Vec<Conv2d>,
    norms: Vec<BatchNorm>,
    head: Linear,
}

impl Depthwise {
    fn outputs(&self, images: &Tensor<4>) -> Tensor<2> {
        let mut x = images.clone();
        for (index, (conv, norm)) in self.convs.iter().zip(&self.norms).enumerate() {
            x = norm.forward(conv.forward(x));
            // The projection is linear.
            if index != 3 {
                x = relu(x);
            }
        }
        self.head.forward(pooled(x))
    }
}

pub(crate) fn depthwise(device: &Device, seed: u64) -> Specimen<Depthwise, Tensor<4>, 2> {
    let conv = |channels, kernel, groups| {
        conv(channels, kernel)
            .with_groups(groups)
            .with_bias(false)
            .init(device)
    };
    let model = Depthwise {
        convs: vec![
            conv([3, 4], 3, 1),
            conv([4, 6], 1, 1),
            conv([6, 6], 3, 6),
            conv([6, 5], 1, 1),
            conv([5, 10], 3, 5),
        ],
        norms: [4, 6, 6, 5, 10]
            .map(|channels| BatchNormConfig::new(channels).init(device))
            .to_vec(),
        head: LinearConfig::new(10, 3).init(device),
    };
    Specimen {
        name: "depthwise separable, multiplier",
        model: scattered(&model, seed),
        batch: numbers([2, 3, 8, 8], seed + 1, device),
        outputs: Depthwise::outputs,
        expected: vec![
            // The stem: convs.0.weight 0, norms.0 (4), convs.1.weight 1.
            group(4, &[], 1 + 4 + 1),
            // The expansion: convs.1.weight 0, norms.1 (4), by channel convs.2.weight 0, norms.2 (4),
            // convs.3.weight 1.
            group(6, &[], 1 + 4 + 1 + 4 + 1),
            // The projection: convs.3.weight 0, norms.3 (4); with stride 2 convs.4.weight 0, norms.4 (4),
            // head.weight 0.
            group(5, &[], 1 + 4 + 1 + 4 + 1),
            // The two filters of each of its channels: convs.4.weight 0, norms.4 (4), head.weight 0.
            group(2, &[5], 1 + 4 + 1),
        ],
    }
}

/// A block of ResNeXt without its sum.
#[derive(Module, Debug)]
pub(crate) struct Grouped {
    narrow: Conv2d,
    grouped: Conv2d,
    widen: Conv2d,
    head: Linear,
}

impl Grouped {
    fn outputs(&self, images: &Tensor<4>) -> Tensor<2> {
        let x = relu(self.narrow.forward(images.clone()));
        let x = relu(self.grouped.forward(x));
        self.head.forward(pooled(relu(self.widen.forward(x))))
    }
}

pub(crate) fn grouped(device: &Device, seed: u64) -> Specimen<Grouped, Tensor<4>, 2> {
    let model = Grouped {
        narrow: conv([2, 6], 1).init(device),
        grouped: conv([6, 12], 3).with_groups(3).init(device),
        widen: conv([12, 5], 1).init(device),
        head: LinearConfig::new(5, 2).init(device),
    };
    Specimen {
        name: "grouped convolution",
        model: scattered(&model, seed),
        batch: numbers([2, 2, 6, 6], seed + 1, device),
        outputs: Grouped::outputs,
        expected: vec![
            // The groups: narrow.weight 0, narrow.bias, grouped.weight 0, grouped.bias, widen.weight 1.
            group(3, &[], 5),
            // Their inputs: narrow.weight 0, narrow.bias, grouped.weight 1.
            group(2, &[3], 3),
            // Their outputs: grouped.weight 0, grouped.bias, widen.weight 1.
            group(4, &[3], 3),
            // widen.weight 0, widen.bias, head.weight 0.
            group(5, &[], 3),
        ],
    }
}

/// A residual block with normalization over groups of channels.
#[derive(Module, Debug)]
pub(crate) struct GroupNormed {
    stem: Conv2d,
    norm1: GroupNorm,
    conv: Conv2d,
    norm2: GroupNorm,
    head: Linear,
}

impl GroupNormed {
    fn outputs(&self, images: &Tensor<4>) -> Tensor<2> {
        let x = relu(self.norm1.forward(self.stem.forward(images.clone())));
        let hidden = relu(self.norm2.forward(self.conv.forward(x.clone())));
        self.head.forward(pooled(x + hidden))
    }
}

pub(crate) fn group_norm(device: &Device, seed: u64) -> Specimen<GroupNormed, Tensor<4>, 2> {
    let model = GroupNormed {
        stem: conv([2, 6], 3).init(device),
        norm1: GroupNormConfig::new(3, 6).init(device),
        conv: conv([6, 6], 3).init(device),
        norm2: GroupNormConfig::new(3, 6).init(device),
        head: LinearConfig::new(6, 4).init(device),
    };
    // stem.weight 0, stem.bias, norm1 (2), conv.weight 1 and 0, conv.bias, norm2 (2), head.weight 0.
    let members = 10;
    Specimen {
        name: "group norm, residual",
        model: scattered(&model, seed),
        batch: numbers([2, 2, 5, 5], seed + 1, device),
        outputs: GroupNormed::outputs,
        expected: vec![group(3, &[], members), group(2, &[3], members)],
    }
}

/// ShuffleNet: two grouped convolutions, whose groups are not the same.
#[derive(Module, Debug)]
pub(crate) struct Shuffled {
    stem: Conv2d,
    first: Conv2d,
    second: Conv2d,
    head: Linear,
}

impl Shuffled {
    fn outputs(&self, images: &Tensor<4>) -> Tensor<2> {
        let x = relu(self.stem.forward(images.clone()));
        let x = relu(self.first.forward(x));
        let [batch, channels, height, width] = x.dims();
        let x = x
            .reshape([batch, 2, channels / 2, height, width])
            .swap_dims(1, 2)
            .reshape([batch, channels, height, width]);
        self.head.forward(pooled(relu(self.second.forward(x))))
    }
}

pub(crate) fn channel_shuffle(device: &Device, seed: u64) -> Specimen<Shuffled, Tensor<4>, 2> {
    let model = Shuffled {
        stem: conv([3, 8], 1).init(device),
        first: conv([8, 12], 1).with_groups(2).init(device),
        second: conv([12, 15], 1).with_groups(3).init(device),
        head: LinearConfig::new(15, 2).init(device),
    };
    Specimen {
        name: "channel shuffle",
        model: scattered(&model, seed),
        batch: numbers([2, 3, 4, 4], seed + 1, device),
        outputs: Shuffled::outputs,
        expected: vec![
            // The channels between are 2 (groups of the first) × 3 (groups of the second) × 2, and after the shuffle
            // 3 × 2 × 2, the first groups last.
            // The groups of the first: stem.weight 0, stem.bias, first.weight 0, first.bias, second.weight 1.
            group(2, &[], 5),
            // The groups of the second: first.weight 0, first.bias, second.weight 0, second.bias, head.weight 0.
            group(3, &[], 5),
            // One channel of the two that a pair of groups shares: first.weight 0, first.bias, second.weight 1.
            group(2, &[2, 3], 3),
            // Inputs of each of the first: stem.weight 0, stem.bias, first.weight 1.
            group(4, &[2], 3),
            // Outputs of each of the second: second.weight 0, second.bias, head.weight 0.
            group(5, &[3], 3),
        ],
    }
}

/// Channels become places.
#[derive(Module, Debug)]
pub(crate) struct SubPixel {
    conv: Conv2d,
    shuffle: PixelShuffle,
    head: Conv2d,
}

impl SubPixel {
    fn outputs(&self, images: &Tensor<4>) -> Tensor<4> {
        let x = self.shuffle.forward(self.conv.forward(images.clone()));
        self.head.forward(relu(x))
    }
}

pub(crate) fn sub_pixel(device: &Device, seed: u64) -> Specimen<SubPixel, Tensor<4>, 4> {
    let model = SubPixel {
        conv: conv([3, 5 * 4], 3).init(device),
        shuffle: PixelShuffleConfig::new(2).init(),
        head: conv([5, 2], 3).init(device),
    };
    Specimen {
        name: "sub-pixel convolution",
        model: scattered(&model, seed),
        batch: numbers([2, 3, 4, 4], seed + 1, device),
        outputs: SubPixel::outputs,
        expected: vec![
            // With stride 4 conv.weight 0 and conv.bias; head.weight 1. The four of each are places.
            group(5, &[], 3),
        ],
    }
}
