//! Convolutions, once and twice in a row: then the gradient of the input of the second is
//! differentiated as well.

use super::activations::uneven;
use super::products::device;
use super::referee::{Case, case, wave};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{
    Conv1dConfig, Conv2dConfig, Conv3dConfig, ConvTranspose1dConfig, ConvTranspose2dConfig,
    ConvTranspose3dConfig,
};

pub(crate) fn cases() -> Vec<Case> {
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
