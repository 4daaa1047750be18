//! Transposition, one rule per operation that derivative rules record on tangents.
//!
//! A derivative is linear in its tangents, and so is each of its operations in those operands that *move*, which
//! are the ones that depend on a tangent. A rule receives such an operation with the cotangent of its result, and
//! adds the cotangents of the operands that move by recording ordinary operations. The operations
//! recorded have a derivative rule and a transposition themselves. Files follow those of the derivative rules.

mod base;
mod broadcast;
mod cotangents;
mod index;
mod linear;
mod module;
mod windows;

use burn_ir::OperationIr;

use super::tape::no_rule;
use crate::LinearizeError;

pub(crate) use cotangents::Cotangents;

/// Adds the cotangents of the operands of `operation` that move. Its result has a cotangent.
pub(crate) fn apply(
    operation: &OperationIr,
    tape: &mut Cotangents<'_>,
) -> Result<(), LinearizeError> {
    // No derivative rule records an operation with several results on a tangent.
    let mut outputs = operation.outputs();
    let (Some(out), None) = (outputs.next(), outputs.next()) else {
        return Err(no_rule(operation));
    };
    let Some(cotangent) = tape.of(out) else {
        return Ok(());
    };
    let is_known = match operation {
        OperationIr::BaseFloat(op) => {
            index::apply(op, &cotangent, tape)? || base::apply(op, cotangent, tape)?
        }
        OperationIr::NumericFloat(_, op) => linear::numeric(op, cotangent, tape)?,
        OperationIr::Float(_, op) => linear::float(op, cotangent, tape)?,
        OperationIr::Activation(op) => linear::activation(op, cotangent, tape)?,
        OperationIr::Module(op) => module::apply(op, cotangent, tape)?,
        _ => false,
    };
    if is_known {
        Ok(())
    } else {
        Err(no_rule(operation))
    }
}
