use burn_ir::{IrVisitorMut, OperationIr, TensorId, TensorIr};
use rustc_hash::FxHashMap;

/// Replaces tensors by others wherever they are read or defined.
#[derive(Default)]
pub(crate) struct Rename(pub(crate) FxHashMap<TensorId, TensorId>);

impl IrVisitorMut for Rename {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        if let Some(id) = self.0.get(&tensor.id) {
            tensor.id = *id;
        }
    }
}

/// The first of a range of free names. Recordings count from zero, operations that are made without recording from
/// `1 << 62`.
pub(crate) fn first_free<'p>(operations: impl IntoIterator<Item = &'p OperationIr>) -> u64 {
    let outputs = operations.into_iter().flat_map(OperationIr::outputs);
    let last = outputs.map(|tensor| tensor.id.value()).max();
    last.map_or(1 << 62, |last| (last + 1).max(1 << 62))
}
