//! Results that are one cheap step away from others.
//!
//! Where the backward pass reads both operand and result of an elementwise step, holding the operand is enough.

use burn_ir::{
    BaseOperationIr as Base, FloatOperationIr as Float, OperationIr, TensorId, TensorIr,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::copies::TwoPasses;
use crate::program::{Port, Program, Storage, is_arithmetic, is_comparison, viewed};

/// The longest chain of steps that is computed again for a backward pass.
const STEPS: usize = 4;

/// The same for a tangent: from the gradient of attention weights to that of queries and keys, with a mask and dropout.
const LINEAR_STEPS: usize = 8;

/// An operand of less than this share of the result does not count.
const SMALL: u64 = 8;

/// The passes with everything computed again that takes a few cheap steps from what is held anyway.
pub(super) fn lean(passes: &TwoPasses) -> TwoPasses {
    passes.recomputing(near(passes, STEPS, 0))
}

/// The operations of a linear program that computes some of its residuals again for each tangent: those that take a few
/// cheap steps from the others, and at least half of the memory of the largest. `None` if no residual takes memory.
///
/// Of `once`, the first `num_own` operations are those of the recording. The others are composed factors, which are there
/// to save steps, and stay.
pub(super) fn leaner(
    once: &[OperationIr],
    num_own: usize,
    linear: &Program,
    residuals: &[Port],
) -> Option<Vec<OperationIr>> {
    let storage = Storage::of(once);
    let sizes = residuals
        .iter()
        .map(|port| storage.size(storage.owner(port.tensor.id)));
    let largest = sizes.max().filter(|&size| size > 0)?;
    let results = |operations: &[OperationIr]| -> FxHashSet<TensorId> {
        let outputs = operations.iter().flat_map(OperationIr::outputs);
        outputs.map(|tensor| tensor.id).collect()
    };
    let joined = Program::unchecked(
        [once, linear.operations.as_slice()].concat(),
        Vec::new(),
        linear.outputs.clone(),
        linear.constants.clone(),
    );
    let passes = TwoPasses::of(&joined, &results(once));
    let own = results(&once[..num_own]);
    let mut twice = near(&passes, LINEAR_STEPS, largest.div_ceil(2));
    twice.retain(|id| own.contains(id));
    Some(passes.recomputing(twice).backward)
}

/// The results of the forward pass of at least `least` bytes that take at most `most` cheap steps from what is held anyway.
fn near(passes: &TwoPasses, most: usize, least: u64) -> FxHashSet<TensorId> {
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
        let is_few = steps <= most && size >= least;
        if is_few && is_cheap(operation) && operation.inputs().all(is_near) {
            twice.insert(out.id, steps);
        }
    }
    twice.into_keys().collect()
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
