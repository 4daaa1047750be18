//! Networks that concatenate channels.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::specimen::{Specimen, group};
use super::values::{numbers, scattered};

fn conv(channels: [usize; 2], device: &Device) -> Conv2d {
    Conv2dConfig::new(channels, [3, 3])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .init(device)
}

/// Three layers, each of which reads all before it.
#[derive(Module, Debug)]
pub(crate) struct DenseNet {
    stem: Conv2d,
    norms: Vec<BatchNorm>,
    convs: Vec<Conv2d>,
    head: Linear,
}

impl DenseNet {
    fn outputs(&self, images: &Tensor<4>) -> Tensor<2> {
        let mut x = relu(self.stem.forward(images.clone()));
        for (norm, conv) in self.norms.iter().zip(&self.convs) {
            let new = relu(conv.forward(norm.forward(x.clone())));
            x = Tensor::cat(vec![x, new], 1);
        }
        let x = x.mean_dim(3).mean_dim(2).flatten::<2>(1, 3);
        self.head.forward(x)
    }
}

pub(crate) fn dense_net(device: &Device, seed: u64) -> Specimen<DenseNet, Tensor<4>, 2> {
    let norm = |channels: usize| BatchNormConfig::new(channels).init(device);
    let model = DenseNet {
        stem: conv([3, 4], device),
        norms: vec![norm(4), norm(7), norm(12)],
        convs: vec![
            conv([4, 3], device),
            conv([7, 5], device),
            conv([12, 2], device),
        ],
        head: LinearConfig::new(14, 3).init(device),
    };
    // A block of one normalization (4), and of the weight after it.
    let read = 4 + 1;
    Specimen {
        name: "DenseNet",
        model: scattered(&model, seed),
        batch: numbers([2, 3, 6, 6], seed + 1, device),
        outputs: DenseNet::outputs,
        expected: vec![
            // Made by a convolution (weight 0 and bias), read by every later layer and by head.weight 0.
            group(4, &[], 2 + 3 * read + 1),
            group(3, &[], 2 + 2 * read + 1),
            group(5, &[], 2 + read + 1),
            group(2, &[], 2 + 1),
        ],
    }
}

/// Down twice, and up by transposed convolutions.
#[derive(Module, Debug)]
pub(crate) struct UNet {
    down1: Conv2d,
    down2: Conv2d,
    pool: MaxPool2d,
    bottom: Conv2d,
    up2: ConvTranspose2d,
    join2: Conv2d,
    up1: ConvTranspose2d,
    join1: Conv2d,
    head: Conv2d,
}

impl UNet {
    fn outputs(&self, images: &Tensor<4>) -> Tensor<4> {
        let first = relu(self.down1.forward(images.clone()));
        let second = relu(self.down2.forward(self.pool.forward(first.clone())));
        let bottom = relu(self.bottom.forward(self.pool.forward(second.clone())));
        let up = Tensor::cat(vec![self.up2.forward(bottom), second], 1);
        let up = self.up1.forward(relu(self.join2.forward(up)));
        let up = relu(self.join1.forward(Tensor::cat(vec![up, first], 1)));
        self.head.forward(up)
    }
}

pub(crate) fn u_net(device: &Device, seed: u64) -> Specimen<UNet, Tensor<4>, 4> {
    let up = |channels: [usize; 2]| {
        ConvTranspose2dConfig::new(channels, [2, 2])
            .with_stride([2, 2])
            .init(device)
    };
    let model = UNet {
        down1: conv([1, 3], device),
        down2: conv([3, 5], device),
        pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
        bottom: conv([5, 7], device),
        up2: up([7, 6]),
        join2: conv([11, 4], device),
        up1: up([4, 2]),
        join1: conv([5, 8], device),
        head: Conv2dConfig::new([8, 2], [1, 1]).init(device),
    };
    Specimen {
        name: "U-Net",
        model: scattered(&model, seed),
        batch: numbers([2, 1, 8, 8], seed + 1, device),
        outputs: UNet::outputs,
        expected: vec![
            // down1.weight 0, down1.bias, down2.weight 1, and join1.weight 1 from channel 2.
            group(3, &[], 4),
            // down2.weight 0, down2.bias, bottom.weight 1, and join2.weight 1 from channel 6.
            group(5, &[], 4),
            // bottom.weight 0, bottom.bias, up2.weight 0.
            group(7, &[], 3),
            // up2.weight 1, up2.bias, and join2.weight 1 from channel 0.
            group(6, &[], 3),
            // join2.weight 0, join2.bias, up1.weight 0.
            group(4, &[], 3),
            // up1.weight 1, up1.bias, and join1.weight 1 from channel 0.
            group(2, &[], 3),
            // join1.weight 0, join1.bias, head.weight 1.
            group(8, &[], 3),
        ],
    }
}
