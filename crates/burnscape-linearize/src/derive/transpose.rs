//! Reverse mode: the moving operations of a linear program, backward.

use burn_ir::{OperationIr, TensorIr};

use crate::LinearizeError;
use crate::record::Symbol;
use crate::rule::{self, Cotangents};

/// The cotangents of `tangents`, from those that `tape` already has; `None` is zero.
///
/// `operations` are those of a program that is linear in the tangents, or a part of one, in its order. Those
/// that do not move are passed over; the recording must have their results. `before` is called with each operation
/// before it is transposed, for instance to record what it reads.
///
/// # Errors
///
/// [`LinearizeError::NoRule`] for a moving operation that cannot be transposed.
pub(crate) fn transpose<'o>(
    operations: impl DoubleEndedIterator<Item = &'o OperationIr>,
    tangents: impl IntoIterator<Item = &'o TensorIr>,
    tape: &mut Cotangents<'_>,
    mut before: impl FnMut(&'o OperationIr),
) -> Result<Vec<Option<Symbol>>, LinearizeError> {
    for operation in operations.rev() {
        if operation.outputs().any(|out| tape.of(out).is_some()) {
            before(operation);
            rule::apply_transposed(operation, tape)?;
        }
    }
    let tangents = tangents.into_iter();
    Ok(tangents.map(|tangent| tape.of(tangent)).collect())
}
