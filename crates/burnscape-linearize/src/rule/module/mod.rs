//! Layers that Burn records as one operation, and their backward operations. Almost all are linear or bilinear.

mod affine;
mod conv;
mod conv_transpose;
mod pool;
mod resample;

use burn_ir::ModuleOperationIr as Op;

use super::calculus::Known;
use crate::rule::Tape;

pub(super) fn apply(op: &Op, tape: &mut Tape<'_>) -> Known {
    Ok(affine::apply(op, tape)?
        || conv::apply(op, tape)?
        || conv_transpose::apply(op, tape)?
        || pool::apply(op, tape)?
        || resample::apply(op, tape)?)
}
