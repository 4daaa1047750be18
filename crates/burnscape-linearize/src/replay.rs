//! What a scope that records a program again has to declare.

use std::collections::HashSet;

use burn_ir::{OperationIr, TensorId};

use super::program::{Port, Program};
use super::trace::unique;

/// What a replay of the program reads and does not make: its inputs and constants, as far as some
/// operation touches them. The scope refuses those that it has not met.
pub(crate) fn declared(program: &Program) -> Vec<TensorId> {
    let nodes = program.operations.iter().flat_map(OperationIr::nodes);
    let known: HashSet<TensorId> = nodes.map(|tensor| tensor.id).collect();
    let mut ids = unique(&program.inputs);
    ids.extend(program.constants.keys());
    ids.retain(|id| known.contains(id));
    ids
}

/// The outputs that the scope makes: an input or a constant that is passed through is not its result.
pub(crate) fn results(outputs: &[Port], inputs: &[Port], program: &Program) -> Vec<TensorId> {
    let given = unique(inputs);
    let is_made = |id: &TensorId| !given.contains(id) && !program.constants.contains_key(id);
    unique(outputs).into_iter().filter(is_made).collect()
}
