//! Operations in the order of demand.

use burn_ir::{OperationIr, TensorId};
use rustc_hash::FxHashMap;

/// The operations of `line` in their order, each of them preceded by the operations of `source` that it needs
/// and that nothing before it needed. Operations of `source` that nothing needs are left out, except those
/// that `outputs` need, which come last.
///
/// So a result of `source` is made shortly before its first use, instead of being alive from the start.
pub(super) fn on_demand(
    line: Vec<OperationIr>,
    source: Vec<OperationIr>,
    outputs: impl Iterator<Item = TensorId>,
) -> Vec<OperationIr> {
    let mut source = Source::new(source);
    let mut ordered = Vec::with_capacity(line.len() + source.left.len());
    for operation in line {
        source.emit(operation.inputs().map(|tensor| tensor.id), &mut ordered);
        ordered.push(operation);
    }
    source.emit(outputs, &mut ordered);
    ordered
}

/// Operations that are waiting to be needed.
struct Source {
    left: Vec<Option<OperationIr>>,
    /// The operation that makes a tensor.
    makers: FxHashMap<TensorId, usize>,
}

impl Source {
    fn new(operations: Vec<OperationIr>) -> Self {
        let mut makers = FxHashMap::default();
        for (index, operation) in operations.iter().enumerate() {
            makers.extend(operation.outputs().map(|tensor| (tensor.id, index)));
        }
        Self {
            left: operations.into_iter().map(Some).collect(),
            makers,
        }
    }

    /// Emits what the tensors need and was not emitted yet, in the order of the source.
    fn emit(&mut self, needed: impl Iterator<Item = TensorId>, ordered: &mut Vec<OperationIr>) {
        let mut stack: Vec<TensorId> = needed.collect();
        let mut found: Vec<(usize, OperationIr)> = Vec::new();
        while let Some(id) = stack.pop() {
            let Some(&index) = self.makers.get(&id) else {
                continue;
            };
            if let Some(operation) = self.left[index].take() {
                stack.extend(operation.inputs().map(|tensor| tensor.id));
                found.push((index, operation));
            }
        }
        found.sort_unstable_by_key(|(index, _)| *index);
        ordered.extend(found.into_iter().map(|(_, operation)| operation));
    }
}
