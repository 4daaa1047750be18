//! The memory of intermediate results.

use burn_ir::{BaseOperationIr as Base, OperationIr, TensorId, TensorIr};
use rustc_hash::{FxHashMap, FxHashSet};

use super::Port;

/// The tensors that own memory, and its size.
pub(crate) struct Storage {
    sizes: FxHashMap<TensorId, u64>,
    views: FxHashMap<TensorId, TensorId>,
}

impl Storage {
    pub(crate) fn of<'p>(operations: impl IntoIterator<Item = &'p OperationIr>) -> Self {
        let mut storage = Self {
            sizes: FxHashMap::default(),
            views: FxHashMap::default(),
        };
        for operation in operations {
            let viewed = viewed(operation);
            for out in operation.outputs() {
                match viewed {
                    Some(input) => {
                        let owner = storage.owner(input.id);
                        storage.views.insert(out.id, owner);
                    }
                    None => {
                        storage.sizes.insert(out.id, bytes(out));
                    }
                }
            }
        }
        storage
    }

    /// The memory behind the ports in bytes. Shared memory counts once, tensors that no operation
    /// makes not at all.
    pub(crate) fn total(&self, ports: &[Port]) -> u64 {
        let owners = ports.iter().map(|port| self.owner(port.tensor.id));
        let owners: FxHashSet<TensorId> = owners.collect();
        owners.iter().filter_map(|id| self.sizes.get(id)).sum()
    }

    /// The memory that a tensor owns, in bytes; zero for a view and for a tensor that no operation makes.
    pub(crate) fn size(&self, id: TensorId) -> u64 {
        self.sizes.get(&id).copied().unwrap_or(0)
    }

    /// The tensor whose memory a tensor is a view of, or the tensor itself.
    pub(crate) fn owner(&self, id: TensorId) -> TensorId {
        self.views.get(&id).copied().unwrap_or(id)
    }
}

/// The tensor that the result of the operation is a view of.
pub(crate) fn viewed(operation: &OperationIr) -> Option<&TensorIr> {
    let (OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op)) =
        operation
    else {
        return None;
    };
    match op {
        Base::Reshape(o) | Base::Expand(o) => Some(&o.input),
        Base::SwapDims(o) => Some(&o.input),
        Base::Permute(o) => Some(&o.input),
        Base::Slice(o) => Some(&o.tensor),
        _ => None,
    }
}

pub(crate) fn bytes(tensor: &TensorIr) -> u64 {
    (tensor.shape.num_elements() * tensor.dtype.size()) as u64
}
