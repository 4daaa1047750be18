//! Tensor functions that models are written with, each behind a linear layer.

use burn::nn::{Linear, LinearConfig};
use burn::tensor::{FloatDType, IndexingUpdateOp, Int, Tensor};

use super::activations::uneven;
use super::products::device;
use super::referee::{Case, Spec, spec, wave};

fn function(name: &'static str, f: fn(Tensor<2>) -> Tensor<2>) -> Case {
    function_spec(name, f).case()
}

fn function_spec(name: &'static str, f: fn(Tensor<2>) -> Tensor<2>) -> Spec<Linear, Tensor<2>> {
    let linear: Linear = LinearConfig::new(4, 6).init(&device());
    spec(name, linear, wave([5, 4]), move |linear, x| {
        uneven(f(linear.forward(x)))
    })
}

fn order(x: &Tensor<2>) -> Tensor<2, Int> {
    let indices = [[2, 0, 5], [1, 1, 4], [0, 3, 2], [5, 5, 0], [3, 4, 1]];
    Tensor::from_data(indices, &x.device())
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        function("exp", |x| x.exp()),
        function("log", |x| (x.square() + 0.5).log()),
        function("log1p", |x| x.square().log1p()),
        function("sqrt", |x| (x.square() + 1.0).sqrt()),
        function("recip", |x| (x.square() + 1.0).recip()),
        function("erf", |x| x.erf()),
        function("sin, cos, tan", |x| {
            x.clone().sin() * x.clone().cos() + (x * 0.3).tan()
        }),
        function("sinh, cosh", |x| {
            (x.clone() * 0.5).sinh() * (x * 0.5).cosh()
        }),
        function("asin, acos", |x| {
            (x.clone() * 0.2).asin() * (x * 0.2).acos()
        }),
        function("atan, asinh, acosh", |x| {
            x.clone().atan() + x.clone().asinh() + (x.square() + 1.5).acosh()
        }),
        function("atanh", |x| (x * 0.2).atanh()),
        function("atan2", |x| x.clone().atan2(x.square() + 1.0)),
        function("powf", |x| (x.clone().square() + 0.5).powf(x)),
        function("powf_scalar", |x| (x.square() + 0.5).powf_scalar(1.7)),
        function("powi_scalar", |x| x.powi_scalar(3)),
        function("square of zero", |x| {
            (x.clone() - x.clone()).square() + x.square()
        }),
        function("div", |x| x.clone() / (x.square() + 1.0)),
        function("remainder", |x| x.clone().remainder_scalar(0.7) + x),
        function("abs, sign", |x| x.clone().abs() * x.sign()),
        function("mean_dim", |x| x.clone() * x.mean_dim(1)),
        function("sum_dim", |x| x.clone() * x.sum_dim(0)),
        // Burn divides by a count in single precision, and differentiates by its rounded reciprocal.
        function_spec("var", |x| x.clone() * x.var(1))
            .partly_single(|linear, x| {
                let x = linear.forward(x);
                let centered = x.clone() - x.clone().mean_dim(1);
                uneven(x * centered.square().sum_dim(1) * 0.2)
            })
            .case(),
        function("prod", |x| {
            x.clone() * x.slice([0..1, 0..3]).prod().reshape([1, 1])
        }),
        function("prod_dim", |x| x.prod_dim(1)),
        function("cumsum", |x| x.cumsum(1)),
        function("cumprod", |x| x.cumprod(1)),
        function("cummax", |x| x.cummax(1)),
        function("cummin", |x| x.cummin(0)),
        function("max", |x| x.clone() * x.max().reshape([1, 1])),
        function("min", |x| x.clone() * x.min().reshape([1, 1])),
        function("max_dim", |x| x.max_dim(1)),
        function("min_dim", |x| x.min_dim(1)),
        function("max_dim_with_indices", |x| x.max_dim_with_indices(1).0),
        function("max_abs", |x| x.clone() * x.max_abs().reshape([1, 1])),
        function("max_abs_dim", |x| x.max_abs_dim(1)),
        function("max_pair", |x| x.clone().max_pair(x.clone().square() * 0.8)),
        function("sort", |x| x.sort(1)),
        function("sort_descending", |x| x.sort_descending(0)),
        function("sort_with_indices", |x| x.sort_with_indices(1).0),
        function("topk", |x| x.topk(3, 1)),
        function("topk_with_indices", |x| x.topk_with_indices(3, 1).0),
        function("clamp", |x| x.clamp(-0.5, 0.6)),
        function("clamp_min", |x| x.clamp_min(-0.1)),
        function("clamp_max", |x| x.clamp_max(0.2)),
        function("cat", |x| Tensor::cat(vec![x.clone(), x.square()], 1)),
        function("stack", |x| {
            Tensor::stack::<3>(vec![x.clone(), x.square()], 1).reshape([10, 6])
        }),
        function("narrow", |x| x.narrow(1, 1, 4)),
        function("slice with step", |x| x.slice(burn::tensor::s![1..5;2, ..])),
        function("slice_assign", |x| {
            let part = x.clone().slice([0..2, 0..3]).square();
            x.slice_assign([1..3, 2..5], part)
        }),
        function("select", |x| {
            let indices = Tensor::from_data([4, 0, 0, 2], &x.device());
            x.select(0, indices)
        }),
        function("select_assign", |x| {
            let indices = Tensor::from_data([4, 0, 0], &x.device());
            let values = x.clone().narrow(0, 0, 3).square();
            x.select_assign(0, indices, values, IndexingUpdateOp::Add)
        }),
        function("gather", |x| x.clone().gather(1, order(&x))),
        function("scatter", |x| {
            let values = x.clone().narrow(1, 0, 3).square();
            x.clone()
                .scatter(1, order(&x), values, IndexingUpdateOp::Add)
        }),
        function("mask_where", |x| {
            let mask = x.clone().greater_elem(0.1);
            x.clone().mask_where(mask, x.square())
        }),
        function("mask_fill", |x| {
            let mask = x.clone().greater_elem(0.1);
            x.mask_fill(mask, 0.3)
        }),
        function("triu", |x| x.triu(0)),
        function("repeat_dim", |x| x.square().repeat_dim(1, 2)),
        function("expand", |x| {
            x.clone().mean_dim(0).square().expand([5, 6]) * x
        }),
        function("flip, swap_dims, permute", |x| {
            x.clone().flip([0]).swap_dims(0, 1).permute([1, 0]) * x
        }),
        function("unfold", |x| x.unfold::<3, _>(1, 3, 1).reshape([5, 12])),
        function("pad", |x| {
            x.pad((1, 1, 0, 2), burn::tensor::ops::PadMode::Constant(0.3))
        }),
        function("pad reflect", |x| {
            x.pad((1, 1, 1, 2), burn::tensor::ops::PadMode::Reflect)
        }),
        function("pad edge", |x| {
            x.pad((1, 1, 1, 2), burn::tensor::ops::PadMode::Edge)
        }),
        function("matmul", |x| x.clone().matmul(x.transpose())),
        function("cross", |x| {
            let (a, b) = (x.clone().narrow(1, 0, 3), x.narrow(1, 3, 3).square());
            a.cross(b, 1)
        }),
        function("round, floor, ceil", |x| {
            x.clone() * (x.clone().round() + x.clone().floor() + x.ceil())
        }),
        function("argmax, argmin", |x| {
            let (high, low) = (x.clone().argmax(1), x.clone().argmin(1));
            x.clone().gather(1, high) * x.gather(1, low)
        }),
        function("argsort, argtopk", |x| {
            let (order, some) = (x.clone().argsort(1), x.clone().argtopk(2, 1));
            Tensor::cat(vec![x.clone().gather(1, order), x.gather(1, some)], 1)
        }),
        function("comparisons", |x| {
            let (y, z) = (x.clone().flip([1]), x.clone() * 0.5);
            let masks = [
                x.clone().greater(y.clone()),
                x.clone().greater_equal(y.clone()),
                x.clone().lower(y.clone()),
                x.clone().lower_equal(z.clone()),
                x.clone().equal(z.clone()),
                x.clone().not_equal(z),
                x.clone().greater_scalar(0.1),
                x.clone().greater_equal_scalar(0.2),
                x.clone().lower_scalar(0.3),
                x.clone().lower_equal_scalar(0.4),
                x.clone().equal_scalar(0.0),
                x.clone().not_equal_scalar(0.5),
                x.clone().is_nan(),
                x.clone().is_inf(),
            ];
            let mut sum = x.clone();
            for (place, mask) in masks.into_iter().enumerate() {
                sum = sum + x.clone().square() * mask.float() * (0.1 + 0.05 * place as f64);
            }
            sum
        }),
        function("any, all", |x| {
            let positive = x.clone().clamp_min(0.0);
            let some =
                positive.clone().any_dim(1).float() + positive.clone().any().float().unsqueeze();
            let every = positive.clone().all_dim(1).float() + positive.all().float().unsqueeze();
            x.square() * (some + every + 0.5)
        }),
        function("int, trunc", |x| {
            x.clone() * ((x.clone() * 3.0).int().float() + (x * 4.0).trunc() + 0.3)
        }),
        function("detach", |x| x.clone() * x.detach()),
        function_spec("cast", |x| {
            let own = x.dtype();
            x.cast(FloatDType::F32).cast(own).square()
        })
        .partly_single(|linear, x| uneven(linear.forward(x).square()))
        .case(),
    ]
}
