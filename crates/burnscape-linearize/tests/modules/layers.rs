//! Layers.

use burn::module::Module;
use burn::nn::attention::{
    CrossAttentionConfig, MhaInput, MultiHeadAttentionConfig, generate_autoregressive_mask,
};
use burn::nn::conv::{
    Conv1dConfig, Conv2d, Conv2dConfig, Conv3dConfig, ConvTranspose1dConfig, ConvTranspose2dConfig,
    ConvTranspose3dConfig,
};
use burn::nn::gru::GruConfig;
use burn::nn::interpolate::{Interpolate1dConfig, Interpolate2dConfig, InterpolateMode};
use burn::nn::pool::{
    AdaptiveAvgPool1dConfig, AdaptiveAvgPool2dConfig, AdaptiveAvgPool3dConfig, AvgPool1dConfig,
    AvgPool2dConfig, MaxPool1dConfig, MaxPool2dConfig,
};
use burn::nn::transformer::{
    PositionWiseFeedForwardConfig, TransformerDecoderConfig, TransformerDecoderInput,
    TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{
    BatchNormConfig, BiGruConfig, BiLstmConfig, BiRnnConfig, CosineSimilarityConfig, DropoutConfig,
    Embedding, EmbeddingConfig, Fold4dConfig, GaussianNoiseConfig, GroupNormConfig,
    InstanceNormConfig, LayerNormConfig, Linear, LinearConfig, LocalResponseNormConfig, LstmConfig,
    PaddingConfig2d, PairwiseDistanceConfig, PixelShuffleConfig, PixelUnshuffleConfig,
    PositionalEncodingConfig, RmsNormConfig, RnnConfig, RotaryEncodingConfig, Unfold4dConfig,
};
use burn::tensor::{Int, Tensor};

use super::activations::uneven;
use super::referee::{Case, case, device, wave};

/// A table and the layer that reads from it.
#[derive(Module, Debug)]
struct Words {
    table: Embedding,
    linear: Linear,
}

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
    let mut cases = dense();
    cases.extend(convolutions());
    cases.extend(normalizations());
    cases.extend(pools());
    cases.extend(sequences());
    cases.extend(rearrangements());
    cases
}

fn dense() -> Vec<Case> {
    let d = device();
    let words: Tensor<2, Int> = Tensor::from_data([[1, 2, 3], [4, 2, 6]], &d);
    let table = Words {
        table: EmbeddingConfig::new(10, 6).init(&d),
        linear: LinearConfig::new(6, 2).init(&d),
    };
    vec![
        case(
            "Linear",
            LinearConfig::new(4, 3).init(&d),
            wave([5, 4]),
            |m, x| uneven(m.forward(x)),
        ),
        case(
            "Linear without bias, rank 3",
            LinearConfig::new(4, 3).with_bias(false).init(&d),
            wave([2, 5, 4]),
            |m, x| uneven(m.forward(x)),
        ),
        case("Embedding", table, words, |m, x| {
            uneven(m.linear.forward(m.table.forward(x)))
        }),
        case(
            "Dropout",
            LinearConfig::new(4, 8).init(&d),
            wave([5, 4]),
            |m, x| uneven(DropoutConfig::new(0.5).init().forward(m.forward(x))),
        )
        .drawing(),
    ]
}

fn convolutions() -> Vec<Case> {
    let d = device();
    vec![
        case(
            "Conv1d",
            Conv1dConfig::new(2, 3, 3).init(&d),
            wave([2, 2, 9]),
            |m, x| uneven(m.forward(x)),
        ),
        case(
            "Conv2d",
            Conv2dConfig::new([2, 3], [3, 3]).init(&d),
            wave([2, 2, 6, 6]),
            |m, x| uneven(m.forward(x)),
        ),
        case(
            "Conv2d, groups",
            Conv2dConfig::new([4, 4], [3, 3]).with_groups(2).init(&d),
            wave([2, 4, 6, 6]),
            |m, x| uneven(m.forward(x)),
        ),
        case(
            "Conv2d, stride, dilation",
            Conv2dConfig::new([2, 3], [3, 2])
                .with_stride([2, 1])
                .with_dilation([1, 2])
                .with_padding(PaddingConfig2d::Explicit(1, 2, 1, 2))
                .with_bias(false)
                .init(&d),
            wave([2, 2, 7, 8]),
            |m, x| uneven(m.forward(x)),
        ),
        case(
            "Conv3d",
            Conv3dConfig::new([2, 3], [2, 3, 2]).init(&d),
            wave([2, 2, 4, 4, 4]),
            |m, x| uneven(m.forward(x)),
        ),
        case(
            "ConvTranspose1d",
            ConvTranspose1dConfig::new([2, 3], 3)
                .with_stride(2)
                .init(&d),
            wave([2, 2, 5]),
            |m, x| uneven(m.forward(x)),
        ),
        case(
            "ConvTranspose2d",
            ConvTranspose2dConfig::new([2, 3], [3, 2])
                .with_padding([1, 0])
                .init(&d),
            wave([2, 2, 4, 4]),
            |m, x| uneven(m.forward(x)),
        ),
        case(
            "ConvTranspose2d, groups",
            ConvTranspose2dConfig::new([4, 4], [3, 3])
                .with_groups(2)
                .init(&d),
            wave([2, 4, 4, 4]),
            |m, x| uneven(m.forward(x)),
        ),
        case(
            "ConvTranspose3d",
            ConvTranspose3dConfig::new([2, 2], [2, 2, 2]).init(&d),
            wave([2, 2, 3, 3, 3]),
            |m, x| uneven(m.forward(x)),
        ),
        // Two in a row: the gradient of the input of the second is differentiated as well.
        case(
            "Conv1d twice",
            vec![
                Conv1dConfig::new(2, 2, 3).init(&d),
                Conv1dConfig::new(2, 2, 3).init(&d),
            ],
            wave([2, 2, 9]),
            |m, x| uneven(m[1].forward(m[0].forward(x).tanh())),
        ),
        case(
            "Conv2d twice",
            vec![
                Conv2dConfig::new([2, 2], [3, 3]).init(&d),
                Conv2dConfig::new([2, 2], [3, 3])
                    .with_stride([2, 2])
                    .init(&d),
            ],
            wave([2, 2, 8, 8]),
            |m, x| uneven(m[1].forward(m[0].forward(x).tanh())),
        ),
        case(
            "Conv3d twice",
            vec![
                Conv3dConfig::new([1, 2], [2, 2, 2]).init(&d),
                Conv3dConfig::new([2, 2], [2, 2, 2]).init(&d),
            ],
            wave([2, 1, 4, 4, 4]),
            |m, x| uneven(m[1].forward(m[0].forward(x).tanh())),
        ),
        case(
            "ConvTranspose1d twice",
            vec![
                ConvTranspose1dConfig::new([2, 2], 3).init(&d),
                ConvTranspose1dConfig::new([2, 2], 3)
                    .with_stride(2)
                    .init(&d),
            ],
            wave([2, 2, 5]),
            |m, x| uneven(m[1].forward(m[0].forward(x).tanh())),
        ),
        case(
            "ConvTranspose2d twice",
            vec![
                ConvTranspose2dConfig::new([2, 2], [3, 3]).init(&d),
                ConvTranspose2dConfig::new([2, 2], [3, 3])
                    .with_stride([2, 2])
                    .init(&d),
            ],
            wave([2, 2, 3, 3]),
            |m, x| uneven(m[1].forward(m[0].forward(x).tanh())),
        ),
        case(
            "ConvTranspose3d twice",
            vec![
                ConvTranspose3dConfig::new([2, 2], [2, 2, 2]).init(&d),
                ConvTranspose3dConfig::new([2, 2], [2, 2, 2]).init(&d),
            ],
            wave([1, 2, 2, 2, 2]),
            |m, x| uneven(m[1].forward(m[0].forward(x).tanh())),
        ),
    ]
}

fn normalizations() -> Vec<Case> {
    let d = device();
    vec![
        case(
            "BatchNorm, train",
            BatchNormConfig::new(3).init(&d),
            wave([4, 3, 2, 3]),
            |m, x| uneven(m.forward(x)),
        ),
        case(
            "BatchNorm, eval",
            BatchNormConfig::new(3)
                .init(&d)
                .freeze()
                .set_require_grad(true),
            wave([4, 3, 2, 3]),
            |m, x| uneven(m.forward(x)),
        ),
        case(
            "Conv2d, BatchNorm, train",
            (
                Conv2dConfig::new([1, 3], [3, 3]).init(&d),
                BatchNormConfig::new(3).init(&d),
            ),
            wave([3, 1, 5, 5]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        ),
        case(
            "Linear, LayerNorm",
            (
                LinearConfig::new(4, 6).init(&d),
                LayerNormConfig::new(6).init(&d),
            ),
            wave([4, 4]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        ),
        case(
            "Conv1d, GroupNorm",
            (
                Conv1dConfig::new(2, 4, 3).init(&d),
                GroupNormConfig::new(2, 4).init(&d),
            ),
            wave([2, 2, 7]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        ),
        case(
            "Conv1d, InstanceNorm",
            (
                Conv1dConfig::new(2, 4, 3).init(&d),
                InstanceNormConfig::new(4).init(&d),
            ),
            wave([2, 2, 7]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        ),
        case(
            "Linear, RmsNorm",
            (
                LinearConfig::new(4, 6).init(&d),
                RmsNormConfig::new(6).init(&d),
            ),
            wave([4, 4]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        )
        .in_single(),
    ]
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

fn sequences() -> Vec<Case> {
    let d = device();
    vec![
        case(
            "MultiHeadAttention",
            MultiHeadAttentionConfig::new(8, 2)
                .with_dropout(0.0)
                .init(&d),
            wave([2, 3, 8]),
            |m, x| uneven(m.forward(MhaInput::self_attn(x)).context),
        ),
        case(
            "TransformerEncoder",
            TransformerEncoderConfig::new(8, 16, 2, 2)
                .with_dropout(0.0)
                .init(&d),
            wave([2, 3, 8]),
            |m, x| uneven(m.forward(TransformerEncoderInput::new(x))),
        ),
        case(
            "TransformerEncoder, dropout",
            TransformerEncoderConfig::new(8, 16, 2, 1)
                .with_dropout(0.2)
                .init(&d),
            wave([2, 3, 8]),
            |m, x| uneven(m.forward(TransformerEncoderInput::new(x))),
        )
        .drawing(),
        case(
            "Lstm",
            LstmConfig::new(3, 4, true).init(&d),
            wave([2, 5, 3]),
            |m, x| uneven(m.forward(x, None).0),
        ),
        case(
            "Gru",
            GruConfig::new(3, 4, true).init(&d),
            wave([2, 5, 3]),
            |m, x| uneven(m.forward(x, None)),
        ),
        case(
            "Rnn",
            RnnConfig::new(3, 4, true).init(&d),
            wave([2, 5, 3]),
            |m, x| uneven(m.forward(x, None).0),
        ),
        case(
            "BiRnn",
            BiRnnConfig::new(3, 4, true).init(&d),
            wave([2, 4, 3]),
            |m, x| uneven(m.forward(x, None).0),
        ),
        case(
            "BiLstm",
            BiLstmConfig::new(3, 4, true).init(&d),
            wave([2, 4, 3]),
            |m, x| uneven(m.forward(x, None).0),
        ),
        case(
            "BiGru",
            BiGruConfig::new(3, 4, true).init(&d),
            wave([2, 4, 3]),
            |m, x| uneven(m.forward(x, None).0),
        ),
        case(
            "MultiHeadAttention, masked",
            MultiHeadAttentionConfig::new(8, 2)
                .with_dropout(0.0)
                .init(&d),
            wave([2, 4, 8]),
            |m, x| {
                let mask = generate_autoregressive_mask(2, 4, &x.device());
                uneven(m.forward(MhaInput::self_attn(x).mask_attn(mask)).context)
            },
        ),
        case(
            "CrossAttention",
            CrossAttentionConfig::new(8, 6, 2, 1, 4)
                .with_dropout(0.0)
                .init(&d),
            (wave([2, 3, 8]), wave([2, 5, 6])),
            |m, (x, y)| uneven(m.forward(x, y, None)),
        ),
        case(
            "TransformerDecoder",
            TransformerDecoderConfig::new(8, 16, 2, 1)
                .with_dropout(0.0)
                .init(&d),
            (wave([2, 3, 8]), wave([2, 4, 8])),
            |m, (x, y)| uneven(m.forward(TransformerDecoderInput::new(x, y))),
        ),
        case(
            "PositionWiseFeedForward",
            PositionWiseFeedForwardConfig::new(4, 8)
                .with_dropout(0.0)
                .init(&d),
            wave([2, 3, 4]),
            |m, x| uneven(m.forward(x)),
        ),
        case(
            "PositionalEncoding",
            (
                LinearConfig::new(4, 6).init(&d),
                PositionalEncodingConfig::new(6)
                    .with_max_sequence_size(8)
                    .init(&d),
            ),
            wave([2, 3, 4]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        ),
        case(
            "RotaryEncoding",
            (
                LinearConfig::new(4, 6).init(&d),
                RotaryEncodingConfig::new(8, 6).init(&d),
            ),
            wave([2, 3, 4]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        ),
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
        case("GaussianNoise", linear(), wave([5, 4]), |m, x| {
            uneven(GaussianNoiseConfig::new(0.3).init().forward(m.forward(x)))
        })
        .drawing(),
        case("RRelu", linear(), wave([5, 4]), |m, x| {
            uneven(
                burn::nn::activation::RReluConfig::new()
                    .init()
                    .forward(m.forward(x)),
            )
        })
        .drawing(),
    ]
}
