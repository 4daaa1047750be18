//! The tensors that a scope must declare when it records a program again.

use burn_ir::{OperationIr, TensorId};
use rustc_hash::FxHashSet;

use crate::program::{Program, unique};

/// The inputs and constants that the operations of the program read. The scope rejects any that no
/// operation touches.
pub(crate) fn declared(program: &Program) -> Vec<TensorId> {
    let nodes = program.operations.iter().flat_map(OperationIr::nodes);
    let known: FxHashSet<TensorId> = nodes.map(|tensor| tensor.id).collect();
    let mut ids = unique(&program.inputs);
    ids.extend(program.constants.keys());
    ids.retain(|id| known.contains(id));
    ids
}

/// As [`declared`], for a replay that reads further tensors.
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
