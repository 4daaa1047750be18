//! Pooling.

use burn::backend::TensorMetadata;
use burn::backend::ops::{FloatTensorOps, IntTensorOps, ModuleOps};
use burn_ir::{ModuleOperationIr as Op, TensorIr};

use super::super::super::calculus::{Known, planes};
use crate::record::{C, Symbol};
use crate::rule::Cotangents;

macro_rules! mean {
    ($tape:ident, $c:ident, $o:ident, $backward:path) => {
        $tape.add_with(&$o.x, |tape| {
            $backward(
                tape.blank(&$o.x),
                $c.clone(),
                $o.kernel_size,
                $o.stride,
                $o.padding,
                $o.count_include_pad,
                $o.ceil_mode,
            )
        })
    };
}

macro_rules! mean_backward {
    ($tape:ident, $c:ident, $o:ident, $pool:path) => {
        $tape.add_with(&$o.grad, |_| {
            $pool(
                $c.clone(),
                $o.kernel_size,
                $o.stride,
                $o.padding,
                $o.count_include_pad,
                $o.ceil_mode,
            )
        })
    };
}

macro_rules! adaptive {
    ($tape:ident, $c:ident, $o:ident, $backward:path) => {
        $tape.add_with(&$o.x, |tape| $backward(tape.blank(&$o.x), $c.clone()))
    };
}

macro_rules! adaptive_backward {
    ($tape:ident, $c:ident, $o:ident, $pool:path) => {
        $tape.add_with(&$o.grad, |_| $pool($c.clone(), sizes(&$o.grad)))
    };
}

pub(super) fn apply(op: &Op, c: &Symbol, tape: &mut Cotangents<'_>) -> Known {
    match op {
        Op::AvgPool1d(o) => mean!(tape, c, o, C::avg_pool1d_backward),
        Op::AvgPool2d(o) => mean!(tape, c, o, C::avg_pool2d_backward),
        Op::AvgPool1dBackward(o) => mean_backward!(tape, c, o, C::avg_pool1d),
        Op::AvgPool2dBackward(o) => mean_backward!(tape, c, o, C::avg_pool2d),
        Op::AdaptiveAvgPool1d(o) => adaptive!(tape, c, o, C::adaptive_avg_pool1d_backward),
        Op::AdaptiveAvgPool2d(o) => adaptive!(tape, c, o, C::adaptive_avg_pool2d_backward),
        Op::AdaptiveAvgPool3d(o) => adaptive!(tape, c, o, C::adaptive_avg_pool3d_backward),
        Op::AdaptiveAvgPool1dBackward(o) => tape.add_with(&o.grad, |_| {
            let [len] = sizes(&o.grad);
            C::adaptive_avg_pool1d(c.clone(), len)
        }),
        Op::AdaptiveAvgPool2dBackward(o) => {
            adaptive_backward!(tape, c, o, C::adaptive_avg_pool2d)
        }
        Op::AdaptiveAvgPool3dBackward(o) => {
            adaptive_backward!(tape, c, o, C::adaptive_avg_pool3d)
        }
        Op::MaxPool1dWithIndicesBackward(o) => maximum_backward(&o.grad, &o.indices, c, tape),
        Op::MaxPool2dWithIndicesBackward(o) => maximum_backward(&o.grad, &o.indices, c, tape),
        _ => Ok(false),
    }
}

/// The lengths of the pooled axes.
fn sizes<const D: usize>(tensor: &TensorIr) -> [usize; D] {
    std::array::from_fn(|axis| tensor.shape[2 + axis])
}

/// The elements that attain the maxima.
fn maximum_backward(
    grad: &TensorIr,
    indices: &TensorIr,
    c: &Symbol,
    tape: &mut Cotangents<'_>,
) -> Known {
    tape.add_with(grad, |tape| {
        let indices = tape.primal(indices);
        let shape = planes(&indices.shape());
        let source = C::float_reshape(c.clone(), planes(&c.shape()));
        let picked = C::float_gather(1, source, C::int_reshape(indices, shape));
        C::float_reshape(picked, grad.shape.clone())
    })
}
