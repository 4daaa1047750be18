//! A U-Net (Ronneberger, Fischer, Brox 2015, arXiv:1505.04597): skips by concatenation, transposed convolutions
//! on the way up, and a sum of three losses.

use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::loss::BinaryCrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::activation::{relu, sigmoid};
use burnscape::loss::Batch;

use super::checklist::{Checklist, Door, FOREIGN};
use super::fixture::{choices, drawn, stream, wave};
use super::groups;

#[derive(Module, Debug)]
struct DoubleConv {
    conv1: Conv2d,
    norm1: BatchNorm,
    conv2: Conv2d,
    norm2: BatchNorm,
}

impl DoubleConv {
    fn new(from: usize, to: usize, device: &Device) -> Self {
        let conv = |from| {
            Conv2dConfig::new([from, to], [3, 3])
                .with_padding(PaddingConfig2d::Same)
                .init(device)
        };
        Self {
            conv1: conv(from),
            norm1: BatchNormConfig::new(to).init(device),
            conv2: conv(to),
            norm2: BatchNormConfig::new(to).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = relu(self.norm1.forward(self.conv1.forward(x)));
        relu(self.norm2.forward(self.conv2.forward(x)))
    }
}

#[derive(Module, Debug)]
struct UNet {
    down1: DoubleConv,
    down2: DoubleConv,
    pool: MaxPool2d,
    bottom: DoubleConv,
    up2: ConvTranspose2d,
    join2: DoubleConv,
    up1: ConvTranspose2d,
    join1: DoubleConv,
    head: Conv2d,
}

impl UNet {
    fn new(device: &Device) -> Self {
        let up = |from, to| {
            ConvTranspose2dConfig::new([from, to], [2, 2])
                .with_stride([2, 2])
                .init(device)
        };
        Self {
            down1: DoubleConv::new(1, 2, device),
            down2: DoubleConv::new(2, 3, device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            bottom: DoubleConv::new(3, 4, device),
            up2: up(4, 3),
            join2: DoubleConv::new(6, 3, device),
            up1: up(3, 2),
            join1: DoubleConv::new(4, 2, device),
            head: Conv2dConfig::new([2, 1], [1, 1]).init(device),
        }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let first = self.down1.forward(images);
        let second = self.down2.forward(self.pool.forward(first.clone()));
        let bottom = self.bottom.forward(self.pool.forward(second.clone()));
        let up = Tensor::cat(vec![second, self.up2.forward(bottom)], 1);
        let up = self.up1.forward(self.join2.forward(up));
        self.head
            .forward(self.join1.forward(Tensor::cat(vec![first, up], 1)))
    }
}

#[derive(Batch, Clone, Debug)]
struct Scans {
    images: Tensor<4>,
    masks: Tensor<4, Int>,
}

/// `1 − 2 |p ∩ y| / (|p| + |y|)`, a mean over images.
fn dice(probabilities: Tensor<4>, masks: Tensor<4>) -> Tensor<1> {
    let sums = |x: Tensor<4>| -> Tensor<2> { x.flatten::<2>(1, 3).sum_dim(1) };
    let both = sums(probabilities.clone() * masks.clone());
    let each = sums(probabilities) + sums(masks);
    ((both * 2.0 + 1.0) / (each + 1.0))
        .neg()
        .add_scalar(1.0)
        .mean()
}

/// `−(1 − p_t)² log p_t`, a mean over pixels.
fn focal(probabilities: Tensor<4>, masks: Tensor<4>) -> Tensor<1> {
    let right =
        probabilities.clone() * masks.clone() + (probabilities.neg() + 1.0) * (masks.neg() + 1.0);
    let right = right.clamp(1e-6, 1.0);
    ((right.clone().neg() + 1.0).powi_scalar(2) * right.log())
        .mean()
        .neg()
}

fn loss(model: &UNet, scans: Scans) -> Tensor<1> {
    let logits = model.forward(scans.images);
    let criterion = BinaryCrossEntropyLossConfig::new()
        .with_logits(true)
        .init(&logits.device());
    let entropy = criterion.forward(logits.clone(), scans.masks.clone());
    let (probabilities, masks) = (sigmoid(logits), scans.masks.float());
    entropy + dice(probabilities.clone(), masks.clone()) * 0.5 + focal(probabilities, masks) * 0.3
}

fn scans(count: usize, phase: f64) -> Scans {
    Scans {
        images: wave([count, 1, 8, 8], phase),
        masks: choices([count, 1, 8, 8], 2, phase),
    }
}

#[test]
fn a_u_net_goes_through_every_door() {
    let data = [scans(2, 0.4), scans(1, 250.4)];
    Checklist::new(&UNet::new, &loss, &data)
        .in_both_modes()
        .with_kinks()
        .run();
}

/// The training loop of many tutorials: the criterion is made once, outside, with class weights on the
/// device of the training.
#[test]
fn a_criterion_with_weights_made_outside_is_refused_by_name() {
    let data = [scans(2, 0.4)];
    let device = super::fixture::device().autodiff();
    let criterion = BinaryCrossEntropyLossConfig::new()
        .with_logits(true)
        .with_weights(Some(vec![0.5; 8]))
        .init(&device);
    let loss =
        |model: &UNet, scans: Scans| criterion.forward(model.forward(scans.images), scans.masks);
    let doors = [Door::Hessian, Door::Spectrum, Door::Monitor];
    Checklist::new(&UNet::new, &loss, &data)
        .refused_by(&doors, FOREIGN)
        .run_doors(&doors);
}

#[test]
fn the_groups_of_a_u_net_are_those_of_its_architecture() {
    let _drawing = stream(3);
    let outputs = |model: &UNet, scans: &Scans| model.forward(scans.images.clone());
    groups::check(&drawn(UNet::new), &outputs, scans(2, 0.4), groups::UNET);
}
