//! Pooling. Means are linear; the tangent of a maximum is that of the element that attains it.

use burn::backend::TensorMetadata;
use burn::backend::ops::{FloatTensorOps, IntTensorOps, ModuleOps};
use burn_ir::{ModuleOperationIr as Op, TensorIr};

use super::super::calculus::{Known, linear, planes};
use crate::record::{C, Symbol};
use crate::rule::Tape;

/// The pooling window of an operation, in the order of Burn's arguments.
macro_rules! mean_window {
    ($o:ident) => {
        (
            $o.kernel_size,
            $o.stride,
            $o.padding,
            $o.count_include_pad,
            $o.ceil_mode,
        )
    };
}

macro_rules! mean {
    ($tape:ident, $o:ident, $pool:path) => {{
        let (kernel, stride, padding, counts, ceil) = mean_window!($o);
        linear($tape, &$o.x, &$o.out, |t| {
            $pool(t, kernel, stride, padding, counts, ceil)
        })
    }};
}

// The input only determines the shape of the result.
macro_rules! mean_backward {
    ($tape:ident, $o:ident, $backward:path) => {{
        let (kernel, stride, padding, counts, ceil) = mean_window!($o);
        let x = $tape.primal(&$o.x);
        linear($tape, &$o.grad, &$o.out, |t| {
            $backward(x, t, kernel, stride, padding, counts, ceil)
        })
    }};
}

macro_rules! adaptive_backward {
    ($tape:ident, $o:ident, $backward:path) => {{
        let x = $tape.primal(&$o.x);
        linear($tape, &$o.grad, &$o.out, |t| $backward(x, t))
    }};
}

// The operation returns no indices of the maxima, so they are computed again.
macro_rules! max_without_indices {
    ($tape:ident, $o:ident, $pool:path) => {{
        let x = $tape.primal(&$o.x);
        let found = $pool(
            x,
            $o.kernel_size,
            $o.stride,
            $o.padding,
            $o.dilation,
            $o.ceil_mode,
            $tape.int_dtype(),
        );
        follow($tape, &$o.x, found.indices, &$o.out)
    }};
}

macro_rules! max_backward {
    ($tape:ident, $o:ident, $backward:path) => {{
        let (x, indices) = ($tape.primal(&$o.x), $tape.primal(&$o.indices));
        linear($tape, &$o.grad, &$o.out, |t| {
            let (kernel, stride, padding) = ($o.kernel_size, $o.stride, $o.padding);
            $backward(
                x,
                kernel,
                stride,
                padding,
                $o.dilation,
                $o.ceil_mode,
                t,
                indices,
            )
            .x_grad
        })
    }};
}

pub(super) fn apply(op: &Op, tape: &mut Tape<'_>) -> Known {
    match op {
        Op::AvgPool1d(o) => mean!(tape, o, C::avg_pool1d),
        Op::AvgPool2d(o) => mean!(tape, o, C::avg_pool2d),
        Op::AvgPool1dBackward(o) => mean_backward!(tape, o, C::avg_pool1d_backward),
        Op::AvgPool2dBackward(o) => mean_backward!(tape, o, C::avg_pool2d_backward),
        Op::AdaptiveAvgPool1d(o) => linear(tape, &o.x, &o.out, |t| {
            C::adaptive_avg_pool1d(t, o.output_size)
        }),
        Op::AdaptiveAvgPool2d(o) => linear(tape, &o.x, &o.out, |t| {
            C::adaptive_avg_pool2d(t, o.output_size)
        }),
        Op::AdaptiveAvgPool3d(o) => linear(tape, &o.x, &o.out, |t| {
            C::adaptive_avg_pool3d(t, o.output_size)
        }),
        Op::AdaptiveAvgPool1dBackward(o) => {
            adaptive_backward!(tape, o, C::adaptive_avg_pool1d_backward)
        }
        Op::AdaptiveAvgPool2dBackward(o) => {
            adaptive_backward!(tape, o, C::adaptive_avg_pool2d_backward)
        }
        Op::AdaptiveAvgPool3dBackward(o) => {
            adaptive_backward!(tape, o, C::adaptive_avg_pool3d_backward)
        }
        Op::MaxPool1d(o) => max_without_indices!(tape, o, C::max_pool1d_with_indices),
        Op::MaxPool2d(o) => max_without_indices!(tape, o, C::max_pool2d_with_indices),
        Op::MaxPool1dWithIndices(o) => {
            let indices = tape.primal(&o.out_indices);
            follow(tape, &o.x, indices, &o.out)
        }
        Op::MaxPool2dWithIndices(o) => {
            let indices = tape.primal(&o.out_indices);
            follow(tape, &o.x, indices, &o.out)
        }
        Op::MaxPool1dWithIndicesBackward(o) => {
            max_backward!(tape, o, C::max_pool1d_with_indices_backward)
        }
        Op::MaxPool2dWithIndicesBackward(o) => {
            max_backward!(tape, o, C::max_pool2d_with_indices_backward)
        }
        _ => Ok(false),
    }
}

/// The tangents of the elements that attain the maxima. Indices count row by row within one plane of
/// `[batch, channel, …]`. They are gathered from a matrix of planes, the case that backends handle best.
fn follow(tape: &mut Tape<'_>, x: &TensorIr, indices: Symbol, out: &TensorIr) -> Known {
    linear(tape, x, out, |t| {
        let t = C::float_reshape(t, planes(&x.shape));
        let shape = planes(&indices.shape());
        let picked = C::float_gather(1, t, C::int_reshape(indices, shape));
        C::float_reshape(picked, out.shape.clone())
    })
}
