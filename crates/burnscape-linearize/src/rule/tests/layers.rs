//! Lines for what `burn_ir` calls module operations.

use burn::backend::TensorMetadata;
use burn::backend::ops::{
    AttentionModuleOptions, ConvOptions, ConvTransposeOptions, DeformConvOptions, FloatTensorOps,
    InterpolateMode, InterpolateOptions, ModuleOps, UnfoldOptions,
};

use super::{Given, Line};
use crate::record::{C, Symbol};

/// Input, weight and bias of convolutions of one to three dimensions; then the gradient of the output instead of
/// the bias.
const CONV1: &[&[usize]] = &[&[2, 2, 7], &[3, 2, 3], &[3]];
const CONV1_BACK: &[&[usize]] = &[&[2, 2, 7], &[3, 2, 3], &[2, 3, 4]];
const CONV2: &[&[usize]] = &[&[2, 2, 4, 5], &[4, 1, 2, 2], &[4]];
const CONV2_BACK: &[&[usize]] = &[&[2, 2, 4, 5], &[4, 1, 2, 2], &[2, 4, 3, 4]];
const CONV3: &[&[usize]] = &[&[1, 2, 3, 3, 3], &[2, 2, 2, 2, 2], &[2]];
const CONV3_BACK: &[&[usize]] = &[&[1, 2, 3, 3, 3], &[2, 2, 2, 2, 2], &[1, 2, 2, 2, 2]];
const BACK1: &[&[usize]] = &[&[2, 2, 3], &[2, 3, 3], &[2, 3, 7]];
const BACK2: &[&[usize]] = &[&[2, 2, 3, 3], &[2, 2, 2, 2], &[2, 2, 4, 4]];
const BACK3: &[&[usize]] = &[&[1, 2, 2, 2, 2], &[2, 2, 2, 2, 2], &[1, 2, 3, 3, 3]];

fn conv1() -> ConvOptions<1> {
    ConvOptions::new([2], [1], [1], 1)
}

fn conv2() -> ConvOptions<2> {
    ConvOptions::new([1, 1], [0, 0], [1, 1], 2)
}

fn conv3() -> ConvOptions<3> {
    ConvOptions::new([1, 1, 1], [0, 0, 0], [1, 1, 1], 1)
}

fn back1() -> ConvTransposeOptions<1> {
    ConvTransposeOptions::new([2], [0], [0], [1], 1)
}

fn back2() -> ConvTransposeOptions<2> {
    ConvTransposeOptions::new([1, 1], [0, 0], [0, 0], [1, 1], 1)
}

fn back3() -> ConvTransposeOptions<3> {
    ConvTransposeOptions::new([1, 1, 1], [0, 0, 0], [0, 0, 0], [1, 1, 1], 1)
}

/// Two groups of each kind; the last shape is that of the output.
const DEFORM: &[&[usize]] = &[
    &[1, 4, 3, 3],
    &[1, 16, 2, 2],
    &[2, 2, 2, 2],
    &[1, 8, 2, 2],
    &[2],
];
const DEFORM_BACK: &[&[usize]] = &[
    &[1, 4, 3, 3],
    &[1, 16, 2, 2],
    &[2, 2, 2, 2],
    &[1, 8, 2, 2],
    &[2],
    &[1, 2, 2, 2],
];

/// Waves approach one, where bilinear sampling has a kink. Scaled, they stay clear of it.
fn offsets(given: &Given) -> Symbol {
    C::float_mul_scalar(given.b(), 0.8.into())
}

fn deform() -> DeformConvOptions<2> {
    DeformConvOptions::new([1, 1], [0, 0], [1, 1], 2, 2)
}

fn bilinear() -> InterpolateOptions {
    InterpolateOptions::new(InterpolateMode::Bilinear)
}

pub(crate) fn lines() -> &'static [Line] {
    &[
        ("linear", &[&[5, 3], &[3, 4], &[4]], |g| {
            C::linear(g.a(), g.b(), Some(g.c()))
        }),
        ("linear_x_backward", &[&[3, 4], &[5, 4]], |g| {
            C::linear_x_backward(g.a(), g.b())
        }),
        ("linear_weight_backward", &[&[5, 3], &[5, 4]], |g| {
            C::linear_weight_backward(g.a(), g.b())
        }),
        ("linear_bias_backward", &[&[5, 4]], |g| {
            C::linear_bias_backward(g.a())
        }),
        ("embedding", &[&[4, 3]], |g| {
            C::embedding(g.a(), g.ints(&[0, 3, 3, 1], [2, 2]))
        }),
        ("embedding_backward", &[&[4, 3], &[2, 2, 3]], |g| {
            C::embedding_backward(g.a(), g.b(), g.ints(&[0, 3, 3, 1], [2, 2]))
        }),
        ("conv1d", CONV1, |g| {
            C::conv1d(g.a(), g.b(), Some(g.c()), conv1())
        }),
        ("conv1d_x_backward", CONV1_BACK, |g| {
            C::conv1d_x_backward(g.a(), g.b(), g.c(), conv1())
        }),
        ("conv1d_weight_backward", CONV1_BACK, |g| {
            C::conv1d_weight_backward(g.a(), g.b(), g.c(), conv1())
        }),
        (
            "conv1d_bias_backward",
            &[&[2, 2, 7], &[3], &[2, 3, 4]],
            |g| C::conv1d_bias_backward(g.a(), g.b(), g.c()),
        ),
        ("conv2d", CONV2, |g| {
            C::conv2d(g.a(), g.b(), Some(g.c()), conv2())
        }),
        ("conv2d_x_backward", CONV2_BACK, |g| {
            C::conv2d_x_backward(g.a(), g.b(), g.c(), conv2())
        }),
        ("conv2d_weight_backward", CONV2_BACK, |g| {
            C::conv2d_weight_backward(g.a(), g.b(), g.c(), conv2())
        }),
        (
            "conv2d_bias_backward",
            &[&[2, 2, 4, 5], &[4], &[2, 4, 3, 4]],
            |g| C::conv2d_bias_backward(g.a(), g.b(), g.c()),
        ),
        ("conv3d", CONV3, |g| {
            C::conv3d(g.a(), g.b(), Some(g.c()), conv3())
        }),
        ("conv3d_x_backward", CONV3_BACK, |g| {
            C::conv3d_x_backward(g.a(), g.b(), g.c(), conv3())
        }),
        ("conv3d_weight_backward", CONV3_BACK, |g| {
            C::conv3d_weight_backward(g.a(), g.b(), g.c(), conv3())
        }),
        (
            "conv3d_bias_backward",
            &[&[1, 2, 3, 3, 3], &[2], &[1, 2, 2, 2, 2]],
            |g| C::conv3d_bias_backward(g.a(), g.b(), g.c()),
        ),
        ("conv_transpose1d", &[&[2, 2, 3], &[2, 3, 3], &[3]], |g| {
            C::conv_transpose1d(g.a(), g.b(), Some(g.c()), back1())
        }),
        ("conv_transpose1d_weight_backward", BACK1, |g| {
            C::conv_transpose1d_weight_backward(g.a(), g.b(), g.c(), back1())
        }),
        (
            "conv_transpose1d_bias_backward",
            &[&[2, 2, 3], &[3], &[2, 3, 7]],
            |g| C::conv_transpose1d_bias_backward(g.a(), g.b(), g.c()),
        ),
        (
            "conv_transpose2d",
            &[&[2, 2, 3, 3], &[2, 2, 2, 2], &[2]],
            |g| C::conv_transpose2d(g.a(), g.b(), Some(g.c()), back2()),
        ),
        ("conv_transpose2d_weight_backward", BACK2, |g| {
            C::conv_transpose2d_weight_backward(g.a(), g.b(), g.c(), back2())
        }),
        (
            "conv_transpose2d_bias_backward",
            &[&[2, 2, 3, 3], &[2], &[2, 2, 4, 4]],
            |g| C::conv_transpose2d_bias_backward(g.a(), g.b(), g.c()),
        ),
        (
            "conv_transpose3d",
            &[&[1, 2, 2, 2, 2], &[2, 2, 2, 2, 2], &[2]],
            |g| C::conv_transpose3d(g.a(), g.b(), Some(g.c()), back3()),
        ),
        ("conv_transpose3d_weight_backward", BACK3, |g| {
            C::conv_transpose3d_weight_backward(g.a(), g.b(), g.c(), back3())
        }),
        (
            "conv_transpose3d_bias_backward",
            &[&[1, 2, 2, 2, 2], &[2], &[1, 2, 3, 3, 3]],
            |g| C::conv_transpose3d_bias_backward(g.a(), g.b(), g.c()),
        ),
        ("avg_pool1d", &[&[2, 2, 7]], |g| {
            C::avg_pool1d(g.a(), 3, 2, 1, false, false)
        }),
        ("avg_pool1d_backward", &[&[2, 2, 7], &[2, 2, 4]], |g| {
            C::avg_pool1d_backward(g.a(), g.b(), 3, 2, 1, false, false)
        }),
        ("avg_pool2d", &[&[1, 2, 4, 4]], |g| {
            C::avg_pool2d(g.a(), [2, 2], [2, 2], [0, 0], true, false)
        }),
        (
            "avg_pool2d_backward",
            &[&[1, 2, 4, 4], &[1, 2, 2, 2]],
            |g| C::avg_pool2d_backward(g.a(), g.b(), [2, 2], [2, 2], [0, 0], true, false),
        ),
        ("adaptive_avg_pool1d", &[&[2, 2, 7]], |g| {
            C::adaptive_avg_pool1d(g.a(), 3)
        }),
        (
            "adaptive_avg_pool1d_backward",
            &[&[2, 2, 7], &[2, 2, 3]],
            |g| C::adaptive_avg_pool1d_backward(g.a(), g.b()),
        ),
        ("adaptive_avg_pool2d", &[&[1, 2, 4, 5]], |g| {
            C::adaptive_avg_pool2d(g.a(), [2, 3])
        }),
        (
            "adaptive_avg_pool2d_backward",
            &[&[1, 2, 4, 5], &[1, 2, 2, 3]],
            |g| C::adaptive_avg_pool2d_backward(g.a(), g.b()),
        ),
        ("adaptive_avg_pool3d", &[&[1, 2, 3, 4, 3]], |g| {
            C::adaptive_avg_pool3d(g.a(), [2, 2, 1])
        }),
        (
            "adaptive_avg_pool3d_backward",
            &[&[1, 2, 3, 4, 3], &[1, 2, 2, 2, 1]],
            |g| C::adaptive_avg_pool3d_backward(g.a(), g.b()),
        ),
        ("max_pool1d", &[&[2, 2, 7]], |g| {
            C::max_pool1d(g.a(), 3, 2, 1, 1, false)
        }),
        ("max_pool1d_with_indices", &[&[2, 2, 7]], |g| {
            C::max_pool1d_with_indices(g.a(), 3, 2, 1, 1, false, g.settings.int_dtype).output
        }),
        (
            "max_pool1d_with_indices_backward",
            &[&[2, 2, 7], &[2, 2, 4]],
            |g| {
                let dtype = g.settings.int_dtype;
                let indices = C::max_pool1d_with_indices(g.a(), 3, 2, 1, 1, false, dtype).indices;
                C::max_pool1d_with_indices_backward(g.a(), 3, 2, 1, 1, false, g.b(), indices).x_grad
            },
        ),
        ("max_pool2d", &[&[2, 2, 4, 5]], |g| {
            C::max_pool2d(g.a(), [2, 3], [2, 1], [0, 1], [1, 1], false)
        }),
        ("max_pool2d_with_indices", &[&[2, 2, 4, 5]], |g| {
            let (kernel, dtype) = ([2, 3], g.settings.int_dtype);
            C::max_pool2d_with_indices(g.a(), kernel, [2, 1], [0, 1], [1, 1], false, dtype).output
        }),
        (
            "max_pool2d_with_indices_backward",
            &[&[2, 2, 4, 5], &[2, 2, 2, 5]],
            |g| {
                let (k, s, p, d, dtype) = ([2, 3], [2, 1], [0, 1], [1, 1], g.settings.int_dtype);
                let indices = C::max_pool2d_with_indices(g.a(), k, s, p, d, false, dtype).indices;
                C::max_pool2d_with_indices_backward(g.a(), k, s, p, d, false, g.b(), indices).x_grad
            },
        ),
        ("interpolate", &[&[1, 2, 3, 4]], |g| {
            C::interpolate(g.a(), [5, 6], bilinear())
        }),
        (
            "interpolate_backward",
            &[&[1, 2, 3, 4], &[1, 2, 5, 6]],
            |g| C::interpolate_backward(g.a(), g.b(), [5, 6], bilinear()),
        ),
        ("unfold4d", &[&[1, 2, 4, 4]], |g| {
            C::unfold4d(g.a(), [2, 2], UnfoldOptions::new([1, 2], [1, 0], [1, 1]))
        }),
        ("batch_norm", &[&[4, 3, 2], &[3], &[3]], |g| {
            let spread = C::float_add_scalar(C::float_mul(g.c(), g.c()), 0.3.into());
            C::batch_norm(g.a(), g.b(), g.c(), g.b(), spread, 1e-5)
        }),
        ("layer_norm", &[&[4, 3], &[3], &[3]], |g| {
            C::layer_norm(g.a(), g.b(), Some(g.c()), 1e-5)
        }),
        (
            "attention",
            &[&[1, 2, 3, 4], &[1, 2, 3, 4], &[1, 2, 3, 2]],
            |g| {
                let options = AttentionModuleOptions {
                    is_causal: true,
                    ..Default::default()
                };
                C::attention(g.a(), g.b(), g.c(), None, None, options)
            },
        ),
        ("deform_conv2d", DEFORM, |g| {
            let mask = Some(g.floats[3].clone());
            C::deform_conv2d(
                g.a(),
                offsets(g),
                g.c(),
                mask,
                Some(g.floats[4].clone()),
                deform(),
            )
        }),
        ("deform_conv2d_backward", DEFORM_BACK, |g| {
            let (mask, bias) = (g.floats[3].clone(), g.floats[4].clone());
            let gradient = g.floats[5].clone();
            let (mask, bias) = (Some(mask), Some(bias));
            let all =
                C::deform_conv2d_backward(g.a(), offsets(g), g.c(), mask, bias, gradient, deform());
            let parts = [
                Some(all.x_grad),
                Some(all.offset_grad),
                Some(all.weight_grad),
            ];
            let parts = parts
                .into_iter()
                .chain([all.mask_grad, all.bias_grad])
                .flatten();
            let flat = |part: Symbol| {
                let len = part.shape().num_elements();
                C::float_reshape(part, [len].into())
            };
            C::float_cat(parts.map(flat).collect(), 0)
        }),
    ]
}
