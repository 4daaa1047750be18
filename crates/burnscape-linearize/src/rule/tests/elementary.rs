//! Lines for what `burn_ir` calls base, numeric, float and activation operations.

use burn::backend::ops::{ActivationOps, FloatTensorOps, PadMode};
use burn::tensor::{FloatDType, IndexingUpdateOp, Shape, Slice};

use super::Line;
use crate::record::C;

const X: &[&[usize]] = &[&[3, 4]];
const XX: &[&[usize]] = &[&[3, 4], &[3, 4]];

pub(crate) fn lines() -> &'static [Line] {
    &[
        ("reshape", X, |g| {
            C::float_reshape(g.a(), Shape::from([2, 6]))
        }),
        ("swap_dims", X, |g| C::float_swap_dims(g.a(), 0, 1)),
        ("permute", X, |g| C::float_permute(g.a(), &[1, 0])),
        ("flip", X, |g| C::float_flip(g.a(), &[1])),
        ("expand", &[&[3, 1]], |g| {
            C::float_expand(g.a(), Shape::from([3, 5]))
        }),
        ("unfold", X, |g| C::float_unfold(g.a(), 1, 2, 1)),
        ("slice", X, |g| {
            C::float_slice(g.a(), &[Slice::from(0..2), Slice::from(1..4)])
        }),
        ("slice_assign", &[&[3, 4], &[2, 2]], |g| {
            C::float_slice_assign(g.a(), &[Slice::from(0..2), Slice::from(1..3)], g.b())
        }),
        ("select", X, |g| {
            C::float_select(g.a(), 1, g.ints(&[3, 0, 0], [3]))
        }),
        ("select_assign", &[&[3, 4], &[3, 2]], |g| {
            let indices = g.ints(&[3, 3], [2]);
            C::float_select_assign(g.a(), 1, indices, g.b(), IndexingUpdateOp::Add)
        }),
        ("mask_where", XX, |g| {
            let mask = C::float_greater(g.a(), g.b(), g.settings.bool_dtype);
            C::float_mask_where(g.a(), mask, g.b())
        }),
        ("mask_fill", &[&[2, 2]], |g| {
            let mask = g.mask(&[true, false, false, true], [2, 2]);
            C::float_mask_fill(g.a(), mask, 0.7.into())
        }),
        ("gather", X, |g| {
            C::float_gather(1, g.a(), g.ints(&[1, 1, 0, 3, 2, 2], [3, 2]))
        }),
        ("scatter", &[&[3, 4], &[3, 2]], |g| {
            let indices = g.ints(&[1, 1, 0, 3, 2, 2], [3, 2]);
            C::float_scatter(1, g.a(), indices, g.b(), IndexingUpdateOp::Add)
        }),
        ("scatter_nd", &[&[3, 4], &[2]], |g| {
            let indices = g.ints(&[0, 1, 2, 3], [2, 2]);
            C::float_scatter_nd(g.a(), indices, g.b(), IndexingUpdateOp::Add)
        }),
        ("gather_nd", X, |g| {
            C::float_gather_nd(g.a(), g.ints(&[0, 1, 2, 3], [2, 2]))
        }),
        ("repeat_dim", X, |g| C::float_repeat_dim(g.a(), 1, 2)),
        ("cat", XX, |g| C::float_cat(vec![g.a(), g.b()], 0)),
        ("cast", X, |g| {
            C::float_cast(C::float_cast(g.a(), FloatDType::F64), FloatDType::F64)
        }),
        ("add", XX, |g| C::float_add(g.a(), g.b())),
        ("add, broadcast", &[&[3, 1], &[1, 4]], |g| {
            C::float_add(g.a(), g.b())
        }),
        ("add_scalar", X, |g| C::float_add_scalar(g.a(), 0.3.into())),
        ("sub", XX, |g| C::float_sub(g.a(), g.b())),
        ("sub_scalar", X, |g| C::float_sub_scalar(g.a(), 0.3.into())),
        ("mul", XX, |g| C::float_mul(g.a(), g.b())),
        ("mul, broadcast", &[&[3, 1], &[1, 4]], |g| {
            C::float_mul(g.a(), g.b())
        }),
        ("mul_scalar", X, |g| C::float_mul_scalar(g.a(), 0.3.into())),
        ("div", XX, |g| C::float_div(g.b(), g.near(2.0))),
        ("div_scalar", X, |g| C::float_div_scalar(g.a(), 0.3.into())),
        ("remainder", XX, |g| C::float_remainder(g.b(), g.near(0.6))),
        ("remainder_scalar", X, |g| {
            C::float_remainder_scalar(g.a(), 0.7.into())
        }),
        ("neg", X, |g| C::float_neg(g.a())),
        ("sum", X, |g| C::float_sum(g.a())),
        ("sum_dim", X, |g| C::float_sum_dim(g.a(), 1)),
        ("sum_dims", X, |g| C::float_sum_dims(g.a(), &[0, 1])),
        ("mean", X, |g| C::float_mean(g.a())),
        ("mean_dim", X, |g| C::float_mean_dim(g.a(), 0)),
        ("cumsum", X, |g| C::float_cumsum(g.a(), 1)),
        ("cumprod", X, |g| C::float_cumprod(g.near(1.0), 1)),
        ("cummax", X, |g| C::float_cummax(g.a(), 1)),
        ("cummin", X, |g| C::float_cummin(g.a(), 0)),
        ("prod", X, |g| C::float_prod(g.near(1.0))),
        ("prod_dim", X, |g| C::float_prod_dim(g.near(1.0), 1)),
        ("pad", X, |g| {
            C::float_pad(g.a(), &[(1, 0), (0, 2)], PadMode::Constant(0.3))
        }),
        ("pad, reflect", X, |g| {
            C::float_pad(g.a(), &[(1, 0), (1, 2)], PadMode::Reflect)
        }),
        ("pad, edge", X, |g| {
            C::float_pad(g.a(), &[(1, 0), (1, 2)], PadMode::Edge)
        }),
        ("abs", X, |g| C::float_abs(g.a())),
        ("topk", X, |g| C::float_topk(g.a(), 1, 2)),
        ("topk_with_indices", X, |g| {
            C::float_topk_with_indices(g.a(), 1, 2, g.settings.int_dtype).0
        }),
        ("max", X, |g| C::float_max(g.a())),
        ("min", X, |g| C::float_min(g.a())),
        ("max_dim", X, |g| C::float_max_dim(g.a(), 1)),
        ("min_dim", X, |g| C::float_min_dim(g.a(), 0)),
        ("max_dim_with_indices", X, |g| {
            C::float_max_dim_with_indices(g.a(), 1, g.settings.int_dtype).0
        }),
        ("min_dim_with_indices", X, |g| {
            C::float_min_dim_with_indices(g.a(), 1, g.settings.int_dtype).0
        }),
        ("max_abs", X, |g| C::float_max_abs(g.a())),
        ("max_abs_dim", X, |g| C::float_max_abs_dim(g.a(), 1)),
        ("sort", X, |g| C::float_sort(g.a(), 1, true)),
        ("sort_with_indices", X, |g| {
            C::float_sort_with_indices(g.a(), 0, false, g.settings.int_dtype).0
        }),
        ("clamp", X, |g| {
            C::float_clamp(g.a(), (-0.3).into(), 0.6.into())
        }),
        ("clamp_min", X, |g| C::float_clamp_min(g.a(), (-0.3).into())),
        ("clamp_max", X, |g| C::float_clamp_max(g.a(), 0.6.into())),
        ("powi_scalar", X, |g| C::float_powi_scalar(g.a(), 3.into())),
        ("powi_scalar, 1 and 2", X, |g| {
            let x = C::float_powi_scalar(g.a(), 2.into());
            C::float_add(x, C::float_powi_scalar(g.a(), 1.into()))
        }),
        ("powf_scalar", X, |g| {
            C::float_powf_scalar(g.near(1.0), 1.7.into())
        }),
        ("powf", XX, |g| C::float_powf(g.near(1.0), g.b())),
        ("hypot", XX, |g| C::float_hypot(g.near(1.0), g.b())),
        ("atan2", XX, |g| C::float_atan2(g.b(), g.near(1.0))),
        ("matmul", &[&[2, 3, 4], &[2, 4, 2]], |g| {
            C::float_matmul(g.a(), g.b())
        }),
        ("matmul, broadcast", &[&[2, 3, 4], &[1, 4, 2]], |g| {
            C::float_matmul(g.a(), g.b())
        }),
        ("cross", &[&[2, 3], &[2, 3]], |g| {
            C::float_cross(g.a(), g.b(), 1)
        }),
        ("exp", X, |g| C::float_exp(g.a())),
        ("log", X, |g| C::float_log(g.near(1.0))),
        ("log1p", X, |g| C::float_log1p(g.near(0.5))),
        ("erf", X, |g| C::float_erf(g.a())),
        ("sqrt", X, |g| C::float_sqrt(g.near(1.0))),
        ("recip", X, |g| C::float_recip(g.near(1.0))),
        ("cos", X, |g| C::float_cos(g.a())),
        ("cosh", X, |g| C::float_cosh(g.a())),
        ("sin", X, |g| C::float_sin(g.a())),
        ("sinh", X, |g| C::float_sinh(g.a())),
        ("tan", X, |g| C::float_tan(g.a())),
        ("tanh", X, |g| C::float_tanh(g.a())),
        ("acos", X, |g| C::float_acos(g.near(0.2))),
        ("acosh", X, |g| C::float_acosh(g.near(2.0))),
        ("asin", X, |g| C::float_asin(g.near(0.2))),
        ("asinh", X, |g| C::float_asinh(g.a())),
        ("atan", X, |g| C::float_atan(g.a())),
        ("atanh", X, |g| C::float_atanh(g.near(0.2))),
        ("round, floor, ceil, trunc, sign", X, |g| {
            let steps = C::float_add(C::float_round(g.a()), C::float_floor(g.a()));
            let steps = C::float_add(steps, C::float_ceil(g.a()));
            let steps = C::float_add(steps, C::float_trunc(g.a()));
            C::float_mul(g.a(), C::float_add(steps, C::float_sign(g.a())))
        }),
        ("relu", X, |g| C::relu(g.a())),
        ("relu_backward", XX, |g| {
            C::relu_backward(C::relu(g.a()), g.b())
        }),
        ("leaky_relu", X, |g| C::leaky_relu(g.a(), 0.1.into())),
        ("prelu", XX, |g| C::prelu(g.a(), g.b())),
        ("gelu", X, |g| C::gelu(g.a())),
        ("gelu_backward", XX, |g| C::gelu_backward(g.a(), g.b())),
        ("sigmoid", X, |g| C::sigmoid(g.a())),
        ("sigmoid_backward", XX, |g| {
            C::sigmoid_backward(C::sigmoid(g.a()), g.b())
        }),
        ("slope of a sigmoid", X, |g| {
            C::float_mul(C::sigmoid(g.a()), C::sigmoid(C::float_neg(g.a())))
        }),
        ("slopes both ways, read elsewhere", X, |g| {
            let negative = C::float_neg(g.a());
            let (y, rest) = (C::sigmoid(g.a()), C::sigmoid(negative.clone()));
            let there = C::float_mul(y, rest.clone());
            let back = C::float_mul(rest.clone(), C::sigmoid(C::float_neg(negative)));
            C::float_add(there, C::float_mul(back, rest))
        }),
        ("hard_sigmoid", X, |g| {
            C::hard_sigmoid(g.a(), 0.8.into(), 0.4.into())
        }),
        ("log_sigmoid", X, |g| C::log_sigmoid(g.a())),
        ("log_sigmoid_backward", XX, |g| {
            C::log_sigmoid_backward(g.a(), g.b())
        }),
        ("softmax", X, |g| C::softmax(g.a(), 1)),
        ("log_softmax", X, |g| C::log_softmax(g.a(), 1)),
        ("softmin", X, |g| C::softmin(g.a(), 0)),
    ]
}
