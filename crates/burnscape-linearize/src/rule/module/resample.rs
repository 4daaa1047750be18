//! Resampling: interpolation and sliding windows, linear in every mode.

use burn::backend::ops::{ModuleOps, UnfoldOptions};
use burn_ir::ModuleOperationIr as Op;

use super::super::calculus::{Known, linear};
use crate::record::C;
use crate::rule::Tape;

pub(super) fn apply(op: &Op, tape: &mut Tape<'_>) -> Known {
    match op {
        Op::Interpolate(o) => linear(tape, &o.x, &o.out, |t| {
            C::interpolate(t, o.output_size, o.options.clone().into())
        }),
        Op::InterpolateBackward(o) => {
            let x = tape.primal(&o.x);
            linear(tape, &o.grad, &o.out, |t| {
                C::interpolate_backward(x, t, o.output_size, o.options.clone().into())
            })
        }
        Op::Unfold4d(o) => linear(tape, &o.x, &o.out, |t| {
            let options = &o.options;
            let options = UnfoldOptions::new(options.stride, options.padding, options.dilation);
            C::unfold4d(t, o.kernel_size, options)
        }),
        _ => Ok(false),
    }
}
