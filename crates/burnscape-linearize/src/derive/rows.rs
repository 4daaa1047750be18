//! Whether every row of a result depends on the same row of an input alone.
//!
//! Derivatives by the input differentiate all rows of a batch at once, which is right only if nothing mixes
//! them. The check follows the rows from the input through the operations. It knows the operations that keep
//! them apart, and refuses any other that reads them.

mod operations;
#[cfg(test)]
mod tests;

use burn_ir::{OperationIr, TensorId, TensorIr};
use rustc_hash::{FxHashMap, FxHashSet};

use super::jvp::origin;
use crate::LinearizeError;
use crate::coverage::describe;
use crate::program::Program;

/// Checks that row `i` of `output` depends on row `i` of `input` alone, for the rows along their first axes.
///
/// An output that does not depend on the input passes. With one row nothing can mix, but the output needs one
/// row as well.
///
/// # Errors
///
/// [`LinearizeError::MixesRows`] with the first operation between them that mixes rows or is not known to
/// keep them apart, or with the last one that moves them if they do not end up along the first axis.
pub(crate) fn check_rows(
    program: &Program,
    input: TensorId,
    output: TensorId,
) -> Result<(), LinearizeError> {
    let Some(tensor) = tensors(program).find(|tensor| tensor.id == input) else {
        return Ok(());
    };
    let start = Rows::first(tensor);
    let mut follower = Follower {
        n: start.length,
        rows: FxHashMap::from_iter([(input, start)]),
    };
    let needed = needed(program, output);
    for operation in &program.operations {
        let is_between = operation.outputs().any(|out| needed.contains(&out.id))
            && operation.inputs().any(|read| !follower.is_free(read));
        if !is_between {
            continue;
        }
        // A result without elements depends on nothing.
        for out in operation.outputs().filter(|out| !is_empty(out)) {
            let rows = if start.length > 1 {
                let found = follower.result(operation);
                found.ok_or_else(|| mixes_rows(operation, program))?
            } else {
                Rows::first(out)
            };
            follower.rows.insert(out.id, rows);
        }
    }
    let end = follower.rows.get(&output);
    let Some(moved) = end.filter(|end| **end != start) else {
        return Ok(());
    };
    match follower.last_move(program, output, *moved) {
        Some(operation) => Err(mixes_rows(operation, program)),
        None => Err(LinearizeError::Internal {
            message: "no operation moved the rows".into(),
        }),
    }
}

/// Where the rows of the input are in a tensor: its elements at index `i` of `axis` depend on row
/// `(i / inner) % n` of the input alone.
///
/// The axis is longer than `n` where reshaping has merged it with its neighbors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rows {
    axis: usize,
    /// The length of the axis.
    length: usize,
    inner: usize,
}

impl Rows {
    /// The first axis.
    fn first(tensor: &TensorIr) -> Self {
        Self {
            axis: 0,
            length: tensor.shape.as_slice().first().copied().unwrap_or(1),
            inner: 1,
        }
    }
}

/// The tensors that depend on the input.
struct Follower {
    /// The number of rows, at least two where operations are followed.
    n: usize,
    rows: FxHashMap<TensorId, Rows>,
}

impl Follower {
    /// Where all operands that have rows have them; `None` if they differ.
    fn shared(&self, operation: &OperationIr) -> Option<Rows> {
        let mut found = operation.inputs().filter_map(|read| {
            let rows = self.rows.get(&read.id)?;
            Some((*rows, read.shape.num_dims()))
        });
        let first = found.next()?;
        found.all(|other| other == first).then_some(first.0)
    }

    fn is_free(&self, tensor: &TensorIr) -> bool {
        !self.rows.contains_key(&tensor.id)
    }

    fn are_free<const N: usize>(&self, tensors: [Option<&TensorIr>; N]) -> bool {
        tensors
            .into_iter()
            .flatten()
            .all(|tensor| self.is_free(tensor))
    }

    /// The operation that moved the rows to where they are in `output`.
    fn last_move<'p>(
        &self,
        program: &'p Program,
        output: TensorId,
        end: Rows,
    ) -> Option<&'p OperationIr> {
        let mut at = output;
        for operation in program.operations.iter().rev() {
            if !operation.outputs().any(|out| out.id == at) {
                continue;
            }
            let mut read = operation.inputs();
            match read.find(|read| self.rows.get(&read.id) == Some(&end)) {
                Some(same) => at = same.id,
                None => return Some(operation),
            }
        }
        None
    }
}

fn is_empty(tensor: &TensorIr) -> bool {
    tensor.shape.num_elements() == 0
}

fn tensors(program: &Program) -> impl Iterator<Item = &TensorIr> {
    let ports = program.inputs.iter().map(|port| &port.tensor);
    let operations = program.operations.iter();
    ports.chain(operations.flat_map(|operation| operation.inputs().chain(operation.outputs())))
}

/// The tensors that the output depends on, and the output.
fn needed(program: &Program, output: TensorId) -> FxHashSet<TensorId> {
    let mut needed = FxHashSet::from_iter([output]);
    for operation in program.operations.iter().rev() {
        if operation.outputs().any(|out| needed.contains(&out.id)) {
            needed.extend(operation.inputs().map(|read| read.id));
        }
    }
    needed
}

fn mixes_rows(operation: &OperationIr, program: &Program) -> LinearizeError {
    let shapes = operation
        .inputs()
        .map(|read| read.shape.as_slice().to_vec());
    LinearizeError::MixesRows {
        operation: describe(operation).0,
        shapes: shapes.collect(),
        origin: origin(operation, program),
    }
}
