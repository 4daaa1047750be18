//! Common subexpressions: operations that compute the same are computed once.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use burn_ir::{IrVisitorMut, OperationIr, TensorId, TensorIr};

use super::linear_map::is_draw;
use super::program::{Program, Rename};

impl Program {
    /// Merges operations that compute the same. Draws are never the same.
    pub(crate) fn merge_equal(&mut self) {
        let mut seen: HashMap<Key, Vec<TensorId>> = HashMap::new();
        let mut rename = Rename::default();
        let outputs: HashSet<TensorId> = self.outputs.iter().map(|port| port.tensor.id).collect();
        let mut kept = Vec::with_capacity(self.operations.len());
        for mut operation in self.operations.drain(..) {
            operation.visit_mut(&mut rename);
            let ids: Vec<TensorId> = operation.outputs().map(|tensor| tensor.id).collect();
            if !is_repeatable(&operation) || ids.iter().any(|id| outputs.contains(id)) {
                kept.push(operation);
                continue;
            }
            match seen.entry(without_outputs(&operation)) {
                Entry::Occupied(first) => {
                    rename
                        .0
                        .extend(ids.into_iter().zip(first.get().iter().copied()));
                }
                Entry::Vacant(vacant) => {
                    vacant.insert(ids);
                    kept.push(operation);
                }
            }
        }
        self.operations = kept;
    }
}

/// Whether the operation gives the same again. Draws do not, and of custom and distributed ones
/// nobody knows.
fn is_repeatable(operation: &OperationIr) -> bool {
    let is_opaque = matches!(
        operation,
        OperationIr::Custom(_) | OperationIr::Distributed(_)
    );
    !is_opaque && !is_draw(operation)
}

/// A key for what an operation computes: everything but the names of its results.
fn without_outputs(operation: &OperationIr) -> Key {
    let outputs: HashSet<TensorId> = operation.outputs().map(|tensor| tensor.id).collect();
    let mut anonymous = operation.clone();
    anonymous.visit_mut(&mut Anonymous(outputs));
    let mut hasher = DefaultHasher::new();
    anonymous.hash(&mut hasher);
    Key {
        hash: hasher.finish(),
        operation: anonymous,
    }
}

/// An operation as a key. Burn holds `0.0` and `-0.0` for equal and hashes them apart, and a NaN for
/// different from itself: keys are the same only if they are equal *and* hash alike, which is the
/// stricter of the two, and operations that hold a NaN are never merged.
struct Key {
    hash: u64,
    operation: OperationIr,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.operation == other.operation
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

struct Anonymous(HashSet<TensorId>);

impl IrVisitorMut for Anonymous {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        if self.0.contains(&tensor.id) {
            tensor.id = TensorId::new(u64::MAX);
        }
    }
}
