//! Common subexpression elimination.

use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};

use burn_ir::{IrVisitorMut, NumericOperationIr as Numeric, OperationIr, TensorId, TensorIr};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::rename::Rename;
use super::{Program, is_draw};

impl Program {
    /// Merges equal operations and constants. Random draws are never equal.
    pub(crate) fn merge_equal(&mut self) {
        let mut seen: FxHashMap<Key, Vec<TensorId>> = FxHashMap::default();
        let mut rename = self.equal_constants();
        let outputs: FxHashSet<TensorId> = self.roots().collect();
        self.operations.retain_mut(|operation| {
            operation.visit_mut(&mut rename);
            let ids: Vec<TensorId> = operation.outputs().map(|tensor| tensor.id).collect();
            if !is_repeatable(operation) || ids.iter().any(|id| outputs.contains(id)) {
                return true;
            }
            match seen.entry(without_outputs(operation, &ids)) {
                Entry::Occupied(first) => {
                    let first = first.get().iter().copied();
                    rename.0.extend(ids.into_iter().zip(first));
                    false
                }
                Entry::Vacant(vacant) => {
                    vacant.insert(ids);
                    true
                }
            }
        });
    }
}

impl Program {
    /// The first constant for each one that is equal to an earlier one to the bit, except outputs.
    fn equal_constants(&self) -> Rename {
        let outputs: FxHashSet<TensorId> = self.roots().collect();
        let mut seen: FxHashMap<_, TensorId> = FxHashMap::default();
        let mut rename = Rename::default();
        for (&id, data) in &self.constants {
            let content = (data.dtype(), data.shape().as_slice(), data.as_bytes());
            match seen.entry(content) {
                Entry::Occupied(first) if !outputs.contains(&id) => {
                    rename.0.insert(id, *first.get());
                }
                Entry::Occupied(_) => {}
                Entry::Vacant(vacant) => {
                    vacant.insert(id);
                }
            }
        }
        rename
    }
}

/// Whether a repeated operation returns the same result. Draws do not, and custom and distributed
/// operations are unknown.
fn is_repeatable(operation: &OperationIr) -> bool {
    let is_opaque = matches!(
        operation,
        OperationIr::Custom(_) | OperationIr::Distributed(_)
    );
    !is_opaque && !is_draw(operation)
}

/// A key that equal operations share.
pub(crate) fn key(operation: &OperationIr) -> Key {
    let ids: Vec<TensorId> = operation.outputs().map(|tensor| tensor.id).collect();
    without_outputs(operation, &ids)
}

/// The key of an operation: everything except the names of its results.
fn without_outputs(operation: &OperationIr, outputs: &[TensorId]) -> Key {
    let mut anonymous = operation.clone();
    anonymous.visit_mut(&mut Anonymous(outputs));
    sort_operands(&mut anonymous);
    let mut hasher = FxHasher::default();
    anonymous.hash(&mut hasher);
    Key {
        hash: hasher.finish(),
        operation: anonymous,
    }
}

/// Sorts the operands of sums and products, which are commutative to the last bit.
fn sort_operands(operation: &mut OperationIr) {
    if let OperationIr::NumericFloat(_, numeric) | OperationIr::NumericInt(_, numeric) = operation
        && let Numeric::Add(o) | Numeric::Mul(o) = numeric
        && o.rhs.id < o.lhs.id
    {
        std::mem::swap(&mut o.lhs, &mut o.rhs);
    }
}

/// An operation as a key. Burn compares `0.0` and `-0.0` as equal but hashes them differently, and compares a
/// NaN as different from itself. Keys are equal only if both the operations and their hashes are,
/// which is stricter than either, so operations that contain a NaN are never merged.
pub(crate) struct Key {
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

struct Anonymous<'a>(&'a [TensorId]);

impl IrVisitorMut for Anonymous<'_> {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        if self.0.contains(&tensor.id) {
            tensor.id = TensorId::new(u64::MAX);
        }
    }
}
