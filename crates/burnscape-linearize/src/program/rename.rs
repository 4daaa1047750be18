use burn_ir::{IrVisitorMut, TensorId, TensorIr};
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
