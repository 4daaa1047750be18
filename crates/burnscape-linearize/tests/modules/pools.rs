//! Pooling, resampling and rearranging, behind a convolution.

use super::activations::uneven;
use super::products::device;
use super::referee::{Case, case, wave};
use burn::nn::conv::{Conv1dConfig, Conv2d, Conv2dConfig, Conv3dConfig};
use burn::nn::interpolate::{Interpolate1dConfig, Interpolate2dConfig, InterpolateMode};
use burn::nn::pool::{
    AdaptiveAvgPool1dConfig, AdaptiveAvgPool2dConfig, AdaptiveAvgPool3dConfig, AvgPool1dConfig,
    AvgPool2dConfig, MaxPool1dConfig, MaxPool2dConfig,
};
use burn::nn::{
    CosineSimilarityConfig, Fold4dConfig, LinearConfig, LocalResponseNormConfig, PaddingConfig2d,
    PairwiseDistanceConfig, PixelShuffleConfig, PixelUnshuffleConfig, Unfold4dConfig,
};
use burn::tensor::Tensor;

fn after_conv(name: &'static str, f: impl Fn(Tensor<4>) -> Tensor<4> + 'static) -> Case {
    let conv: Conv2d = Conv2dConfig::new([1, 2], [3, 3]).init(&device());
    case(name, conv, wave([2, 1, 8, 8]), move |conv, x| {
        uneven(f(conv.forward(x).tanh()))
    })
}

fn after_conv1d(name: &'static str, f: impl Fn(Tensor<3>) -> Tensor<3> + 'static) -> Case {
    let conv = Conv1dConfig::new(1, 2, 3).init(&device());
    case(name, conv, wave([2, 1, 10]), move |conv, x| {
        uneven(f(conv.forward(x).tanh()))
    })
}

fn interpolated(name: &'static str, mode: InterpolateMode) -> Case {
    let resize = Interpolate2dConfig::new().with_output_size(Some([8, 7]));
    let resize = resize.with_mode(mode).init();
    after_conv(name, move |x| resize.forward(x))
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = pools();
    cases.extend(rearrangements());
    cases
}

fn pools() -> Vec<Case> {
    vec![
        after_conv("MaxPool2d", |x| {
            MaxPool2dConfig::new([2, 2]).init().forward(x)
        }),
        after_conv("MaxPool2d, overlapping", |x| {
            MaxPool2dConfig::new([3, 3])
                .with_strides([2, 1])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init()
                .forward(x)
        }),
        after_conv1d("MaxPool1d", |x| {
            MaxPool1dConfig::new(3).with_stride(2).init().forward(x)
        }),
        after_conv("AvgPool2d", |x| {
            AvgPool2dConfig::new([2, 2]).init().forward(x)
        }),
        after_conv1d("AvgPool1d", |x| {
            AvgPool1dConfig::new(3).with_stride(2).init().forward(x)
        }),
        after_conv("AdaptiveAvgPool2d", |x| {
            AdaptiveAvgPool2dConfig::new([2, 4]).init().forward(x)
        }),
        after_conv1d("AdaptiveAvgPool1d", |x| {
            AdaptiveAvgPool1dConfig::new(3).init().forward(x)
        }),
        case(
            "AdaptiveAvgPool3d",
            Conv3dConfig::new([1, 2], [2, 2, 2]).init(&device()),
            wave([2, 1, 4, 5, 4]),
            |m, x| {
                let pool = AdaptiveAvgPool3dConfig::new([2, 2, 1]).init();
                uneven(pool.forward(m.forward(x).tanh()))
            },
        ),
        after_conv1d("Interpolate1d", |x| {
            Interpolate1dConfig::new()
                .with_output_size(Some(5))
                .init()
                .forward(x)
        }),
        interpolated("Interpolate2d, nearest", InterpolateMode::Nearest),
        interpolated("Interpolate2d, linear", InterpolateMode::Linear),
        interpolated("Interpolate2d, cubic", InterpolateMode::Cubic),
    ]
}

fn rearrangements() -> Vec<Case> {
    let d = device();
    let linear = || LinearConfig::new(4, 6).init(&d);
    vec![
        after_conv("LocalResponseNorm", |x| {
            LocalResponseNormConfig::new(3).init().forward(x)
        }),
        after_conv("PixelUnshuffle", |x| {
            PixelUnshuffleConfig::new(2).init().forward(x)
        }),
        after_conv("PixelShuffle", |x| {
            let x = Tensor::cat(vec![x.clone(), x.square()], 1);
            PixelShuffleConfig::new(2).init().forward(x)
        }),
        after_conv("Unfold4d", |x| {
            let blocks = Unfold4dConfig::new([2, 3]).init().forward(x);
            blocks.unsqueeze_dim(1)
        }),
        after_conv("Unfold4d, padded", |x| {
            let unfold = Unfold4dConfig::new([2, 2])
                .with_padding([1, 0])
                .with_stride([2, 1]);
            unfold.init().forward(x).unsqueeze_dim(1)
        }),
        after_conv("Fold4d", |x| {
            let blocks = Unfold4dConfig::new([2, 2]).init().forward(x).square();
            Fold4dConfig::new([6, 6], [2, 2]).init().forward(blocks)
        }),
        case("PairwiseDistance, 3", linear(), wave([5, 4]), |m, x| {
            let y = m.forward(x);
            let distance = PairwiseDistanceConfig::new().with_p(3.0).init();
            uneven(distance.forward(y.clone(), y.flip([0]).sin()))
        }),
        case("PairwiseDistance", linear(), wave([5, 4]), |m, x| {
            let y = m.forward(x);
            uneven(
                PairwiseDistanceConfig::new()
                    .init()
                    .forward(y.clone(), y.flip([0]).sin()),
            )
        }),
        case("CosineSimilarity", linear(), wave([5, 4]), |m, x| {
            let y = m.forward(x);
            uneven(
                CosineSimilarityConfig::new()
                    .init()
                    .forward(y.clone(), y.flip([0]).sin()),
            )
        }),
    ]
}
