//! Results that are one cheap step away from others.
//!
//! Where the backward pass reads both operand and result of an elementwise step, holding the operand is enough.

use burn_ir::{
    BaseOperationIr as Base, FloatOperationIr as Float, OperationIr, TensorId, TensorIr,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::copies::TwoPasses;
use crate::program::{Storage, is_arithmetic, is_comparison, viewed};

/// The longest chain of steps that is computed again.
const STEPS: usize = 4;

/// An operand of less than this share of the result does not count.
const SMALL: u64 = 8;

/// The passes with everything computed again that takes a few cheap steps from what is held anyway.
pub(super) fn lean(passes: &TwoPasses) -> TwoPasses {
    let forward = &passes.forward;
    let storage = Storage::of(forward);
    let reads = passes.backward.iter().flat_map(OperationIr::inputs);
    let read: FxHashSet<TensorId> = reads.map(|tensor| storage.owner(tensor.id)).collect();
    let made: FxHashMap<TensorId, usize> = forward
        .iter()
        .enumerate()
        .flat_map(|(index, operation)| operation.outputs().map(move |out| (out.id, index)))
        .collect();
    // The number of steps to each result that is computed again.
    let mut twice: FxHashMap<TensorId, usize> = FxHashMap::default();
    for operation in forward {
        let outputs: Vec<&TensorIr> = operation.outputs().collect();
        let [out] = outputs[..] else { continue };
        let size = storage.size(storage.owner(out.id));
        let is_near = |tensor: &TensorIr| {
            let owner = storage.owner(tensor.id);
            let is_given = !made.contains_key(&owner);
            let is_small = storage.size(owner) * SMALL <= size;
            is_given || is_small || read.contains(&owner) || twice.contains_key(&tensor.id)
        };
        let before = operation
            .inputs()
            .filter_map(|tensor| twice.get(&tensor.id));
        let own = usize::from(viewed(operation).is_none());
        let steps = before.max().copied().unwrap_or(0) + own;
        if steps <= STEPS && is_cheap(operation) && operation.inputs().all(is_near) {
            twice.insert(out.id, steps);
        }
    }
    passes.recomputing(twice.into_keys().collect())
}

/// Whether the operation takes the time to read and write its tensors once, or less.
fn is_cheap(operation: &OperationIr) -> bool {
    match operation {
        OperationIr::NumericFloat(_, op) | OperationIr::NumericInt(_, op) => {
            is_arithmetic(op) || is_comparison(op)
        }
        OperationIr::Float(_, op) => matches!(op, Float::Recip(_)),
        OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
            matches!(
                op,
                Base::Reshape(_)
                    | Base::Expand(_)
                    | Base::SwapDims(_)
                    | Base::Permute(_)
                    | Base::Slice(_)
                    | Base::MaskFill(_)
                    | Base::MaskWhere(_)
                    | Base::Equal(_)
                    | Base::EqualElem(_)
            )
        }
        OperationIr::Bool(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
