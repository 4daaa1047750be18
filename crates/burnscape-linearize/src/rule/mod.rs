//! Forward derivatives, one rule for each operation of Burn's intermediate representation.
//!
//! A rule gets an operation of which some input moves, and states the tangent of its results with
//! ordinary operations, which record themselves. Files follow the families of `burn_ir`; within a
//! file rules read like a table. What is not here is refused by name.

mod activation;
mod base;
mod calculus;
mod float;
mod module;
mod numeric;
mod order;
#[cfg(test)]
pub(crate) mod tests;

use burn_ir::OperationIr;

use super::LinearizeError;
use super::tape::{Tape, no_rule};

/// States the tangents of the results of `operation`.
pub(crate) fn apply(operation: &OperationIr, tape: &mut Tape<'_>) -> Result<(), LinearizeError> {
    let known = match operation {
        OperationIr::BaseFloat(op) => base::apply(op, tape)?,
        OperationIr::NumericFloat(_, op) => numeric::apply(op, tape)? || order::apply(op, tape)?,
        OperationIr::Float(_, op) => float::apply(op, tape)?,
        OperationIr::Module(op) => module::apply(op, tape)?,
        OperationIr::Activation(op) => activation::apply(op, tape)?,
        _ => false,
    };
    // Integers and Booleans do not move, whatever they were computed from.
    let is_discrete = || operation.outputs().all(|tensor| !tensor.dtype.is_float());
    if known || is_discrete() {
        Ok(())
    } else {
        Err(no_rule(operation))
    }
}
