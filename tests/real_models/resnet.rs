//! ResNet-18 (He, Zhang, Ren, Sun 2015, arXiv:1512.03385) as Burn's model zoo has it: stem, four stages of two
//! basic blocks, average pooling. Narrow, on small images.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, Initializer, Linear, LinearConfig, PaddingConfig2d, Relu,
};
use burn::prelude::*;

use super::checklist::{Checklist, Door};
use super::fixture::{choices, drawn, off_the_kinks, stream, wave};
use super::groups;

const WIDTHS: [usize; 4] = [2, 3, 4, 5];
const CLASSES: usize = 4;

fn conv(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Conv2d {
    let padding = kernel / 2;
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(
            padding, padding, padding, padding,
        ))
        .with_bias(false)
        .with_initializer(Initializer::KaimingNormal {
            gain: 2.0_f64.sqrt(),
            fan_out_only: true,
        })
        .init(device)
}

#[derive(Module, Debug)]
struct Downsample {
    conv: Conv2d,
    bn: BatchNorm,
}

#[derive(Module, Debug)]
struct BasicBlock {
    conv1: Conv2d,
    bn1: BatchNorm,
    relu: Relu,
    conv2: Conv2d,
    bn2: BatchNorm,
    downsample: Option<Downsample>,
}

impl BasicBlock {
    fn new(from: usize, to: usize, stride: usize, device: &Device) -> Self {
        let downsample = (stride != 1 || from != to).then(|| Downsample {
            conv: conv([from, to], 1, stride, device),
            bn: BatchNormConfig::new(to).init(device),
        });
        Self {
            conv1: conv([from, to], 3, stride, device),
            bn1: BatchNormConfig::new(to).init(device),
            relu: Relu::new(),
            conv2: conv([to, to], 3, 1, device),
            bn2: BatchNormConfig::new(to).init(device),
            downsample,
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let identity = input.clone();
        let out = self.bn1.forward(self.conv1.forward(input));
        let out = self.relu.forward(out);
        let out = self.bn2.forward(self.conv2.forward(out));
        let identity = match &self.downsample {
            Some(downsample) => downsample.bn.forward(downsample.conv.forward(identity)),
            None => identity,
        };
        self.relu.forward(out + identity)
    }
}

#[derive(Module, Debug)]
struct ResNet {
    conv1: Conv2d,
    bn1: BatchNorm,
    relu: Relu,
    maxpool: MaxPool2d,
    stages: Vec<Vec<BasicBlock>>,
    avgpool: AdaptiveAvgPool2d,
    fc: Linear,
}

impl ResNet {
    fn new(device: &Device) -> Self {
        let stage = |index: usize| {
            let from = WIDTHS[index.saturating_sub(1)];
            let to = WIDTHS[index];
            let stride = if index == 0 { 1 } else { 2 };
            vec![
                BasicBlock::new(from, to, stride, device),
                BasicBlock::new(to, to, 1, device),
            ]
        };
        Self {
            conv1: conv([3, WIDTHS[0]], 7, 2, device),
            bn1: BatchNormConfig::new(WIDTHS[0]).init(device),
            relu: Relu::new(),
            maxpool: MaxPool2dConfig::new([3, 3])
                .with_strides([2, 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(),
            stages: (0..4).map(stage).collect(),
            avgpool: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            fc: LinearConfig::new(WIDTHS[3], CLASSES).init(device),
        }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let out = self
            .relu
            .forward(self.bn1.forward(self.conv1.forward(images)));
        let mut out = self.maxpool.forward(out);
        for block in self.stages.iter().flatten() {
            out = block.forward(out);
        }
        self.fc.forward(self.avgpool.forward(out).flatten(1, 3))
    }
}

type Images = (Tensor<4>, Tensor<1, Int>);

fn loss(model: &ResNet, (images, labels): Images) -> Tensor<1> {
    let logits = model.forward(images);
    let criterion = CrossEntropyLossConfig::new().init(&logits.device());
    criterion.forward(logits, labels)
}

fn build(device: &Device) -> ResNet {
    off_the_kinks(&ResNet::new(device))
}

fn data() -> [Images; 2] {
    [
        (wave([4, 3, 16, 16], 0.7), choices([4], CLASSES, 2.0)),
        (wave([3, 3, 16, 16], 900.7), choices([3], CLASSES, 9.0)),
    ]
}

#[test]
fn a_resnet_18_goes_through_every_door() {
    Checklist::new(&build, &loss, &data())
        .in_both_modes()
        .with_kinks()
        .run();
}

#[test]
fn a_rebuilt_resnet_18_takes_up_a_run_by_its_paths() {
    Checklist::new(&build, &loss, &data()).run_doors(&[Door::ResumeRebuilt]);
}

#[test]
fn the_groups_of_a_resnet_18_are_those_of_its_architecture() {
    let _drawing = stream(3);
    let outputs = |model: &ResNet, (images, _): &Images| model.forward(images.clone());
    let [batch, _] = data();
    groups::check(&drawn(build), &outputs, batch, groups::RESNET);
}
