//! Resampling: interpolation and sliding windows.

use burn::backend::ops::ModuleOps;
use burn_ir::ModuleOperationIr as Op;

use super::super::super::calculus::Known;
use super::super::windows;
use crate::record::{C, Symbol};
use crate::rule::Cotangents;

pub(super) fn apply(op: &Op, c: Symbol, tape: &mut Cotangents<'_>) -> Known {
    match op {
        Op::Interpolate(o) => tape.add_with(&o.x, |tape| {
            let options = o.options.clone().into();
            C::interpolate_backward(tape.blank(&o.x), c, o.output_size, options)
        }),
        Op::InterpolateBackward(o) => tape.add_with(&o.grad, |_| {
            C::interpolate(c, o.output_size, o.options.clone().into())
        }),
        Op::Unfold4d(o) => windows::unfold4d(o, c, tape),
        _ => Ok(false),
    }
}
