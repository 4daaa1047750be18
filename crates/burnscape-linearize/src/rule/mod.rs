//! Forward derivatives, one rule per operation of Burn's intermediate representation.
//!
//! A rule receives an operation with at least one tangent among its inputs, and sets the tangents of its
//! results by recording ordinary operations. Files follow the families of `burn_ir`, and each reads like a
//! table. An operation without a rule is an error that names it.

mod activation;
mod base;
mod calculus;
mod float;
mod module;
mod numeric;
mod order;
mod tape;
#[cfg(test)]
pub(crate) mod tests;
mod transpose;

use burn_ir::OperationIr;

use crate::LinearizeError;
use tape::no_rule;

pub(crate) use tape::Tape;
pub(crate) use transpose::{Cotangents, apply as apply_transposed};

/// Sets the tangents of the results of `operation`.
pub(crate) fn apply(operation: &OperationIr, tape: &mut Tape<'_>) -> Result<(), LinearizeError> {
    let is_known = match operation {
        OperationIr::BaseFloat(op) => base::apply(op, tape)?,
        OperationIr::NumericFloat(_, op) => numeric::apply(op, tape)? || order::apply(op, tape)?,
        OperationIr::Float(_, op) => float::apply(op, tape)?,
        OperationIr::Module(op) => module::apply(op, tape)?,
        OperationIr::Activation(op) => activation::apply(op, tape)?,
        _ => false,
    };
    // Integers and Booleans have no tangent.
    let is_discrete = || operation.outputs().all(|tensor| !tensor.dtype.is_float());
    if is_known || is_discrete() {
        Ok(())
    } else {
        Err(no_rule(operation))
    }
}
