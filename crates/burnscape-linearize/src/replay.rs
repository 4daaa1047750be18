//! What a scope that records a program again has to declare.

use burn_ir::{OperationIr, TensorId};
use rustc_hash::FxHashSet;

use super::program::Program;
use super::trace::unique;

/// What a replay of the program reads and does not make: its inputs and constants, as far as some
/// operation touches them. The scope refuses those that it has not met.
pub(crate) fn declared(program: &Program) -> Vec<TensorId> {
    let nodes = program.operations.iter().flat_map(OperationIr::nodes);
    let known: FxHashSet<TensorId> = nodes.map(|tensor| tensor.id).collect();
    let mut ids = unique(&program.inputs);
    ids.extend(program.constants.keys());
    ids.retain(|id| known.contains(id));
    ids
}

/// As [`declared`], for a replay that reads some tensors besides.
pub(crate) fn declared_with(
    program: &Program,
    read: impl IntoIterator<Item = TensorId>,
) -> Vec<TensorId> {
    let inputs = unique(&program.inputs);
    let is_given =
        |id: &TensorId| inputs.binary_search(id).is_ok() || program.constants.contains_key(id);
    let mut ids = declared(program);
    ids.extend(read.into_iter().filter(is_given));
    ids.sort_unstable();
    ids.dedup();
    ids
}
