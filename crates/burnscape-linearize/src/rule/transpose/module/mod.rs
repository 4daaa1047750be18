//! Layers that Burn records as one operation, and their backward operations. A layer is the transposition of its
//! backward operation.

mod affine;
mod conv;
mod conv_transpose;
mod pool;
mod resample;

use burn_ir::ModuleOperationIr as Op;

use super::super::calculus::Known;
use super::cotangents::Cotangents;
use crate::record::Symbol;

pub(super) fn apply(op: &Op, c: Symbol, tape: &mut Cotangents<'_>) -> Known {
    Ok(affine::apply(op, &c, tape)?
        || conv::apply(op, &c, tape)?
        || conv_transpose::apply(op, &c, tape)?
        || pool::apply(op, &c, tape)?
        || resample::apply(op, c, tape)?)
}
