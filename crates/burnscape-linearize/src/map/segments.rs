//! Forward passes cut into segments.
//!
//! The forward pass is cut where little memory crosses. What crosses a cut is kept. Everything else that the backward
//! pass reads of a segment, tangents included, is computed again shortly before it is read, except for the last
//! segment, which the backward pass reads first.

use burn_ir::{OperationIr, TensorId};
use rustc_hash::{FxHashMap, FxHashSet};

use super::copies::TwoPasses;
use crate::program::Storage;

/// The passes with the forward pass cut into `num_segments`, or `None` if it has no such cuts.
pub(super) fn segmented(passes: &TwoPasses, num_segments: usize) -> Option<TwoPasses> {
    if num_segments < 2 {
        return None;
    }
    let line = &passes.forward;
    let cuts = Line::new(line, &passes.backward).cuts(num_segments);
    if cuts.is_empty() {
        return None;
    }
    Some(passes.recomputing(inside(line, &cuts)))
}

/// The results of all segments but the last that no later segment reads.
fn inside(line: &[OperationIr], cuts: &[usize]) -> FxHashSet<TensorId> {
    let segment = |index: usize| cuts.partition_point(|&cut| cut <= index);
    let mut segments: FxHashMap<TensorId, usize> = FxHashMap::default();
    let mut crossing: FxHashSet<TensorId> = FxHashSet::default();
    for (index, operation) in line.iter().enumerate() {
        let own = segment(index);
        let before = operation.inputs().map(|tensor| tensor.id);
        crossing.extend(before.filter(|id| segments.get(id).is_some_and(|&made| made < own)));
        segments.extend(operation.outputs().map(|tensor| (tensor.id, own)));
    }
    let inside = segments
        .iter()
        .filter(|&(id, &made)| made < cuts.len() && !crossing.contains(id));
    inside.map(|(id, _)| *id).collect()
}

/// The memory along a forward pass.
struct Line {
    /// For each operation, the bytes that it and those before it make for the backward pass.
    held: Vec<u64>,
    /// For each operation, the bytes that later ones read of it and those before it.
    widths: Vec<u64>,
}

impl Line {
    fn new(forward: &[OperationIr], backward: &[OperationIr]) -> Self {
        let storage = Storage::of(forward);
        let mut last: FxHashMap<TensorId, usize> = FxHashMap::default();
        for (index, operation) in forward.iter().enumerate() {
            last.extend(
                operation
                    .inputs()
                    .map(|tensor| (storage.owner(tensor.id), index)),
            );
        }
        let reads = backward.iter().flat_map(OperationIr::inputs);
        let read: FxHashSet<TensorId> = reads.map(|tensor| storage.owner(tensor.id)).collect();
        let mut ends: FxHashMap<usize, u64> = FxHashMap::default();
        let (mut held, mut widths) = (Vec::new(), Vec::new());
        let (mut total, mut width) = (0, 0);
        for (index, operation) in forward.iter().enumerate() {
            for out in operation.outputs() {
                let size = storage.size(out.id);
                if read.contains(&out.id) {
                    total += size;
                }
                if let Some(&end) = last.get(&out.id) {
                    width += size;
                    *ends.entry(end).or_default() += size;
                }
            }
            width -= ends.remove(&index).unwrap_or(0);
            held.push(total);
            widths.push(width);
        }
        Self { held, widths }
    }

    /// The first operation of each segment but the first: where the least memory crosses, near the place where the
    /// segments hold equally much.
    fn cuts(&self, num_segments: usize) -> Vec<usize> {
        let total = self.held.last().copied().unwrap_or(0) as f64;
        let share = total / num_segments as f64;
        let mut cuts: Vec<usize> = Vec::new();
        for cut in 1..num_segments {
            let ideal = cut as f64 * share;
            let distance = |index: usize| (self.held[index] as f64 - ideal).abs();
            let near = (0..self.held.len()).filter(|&index| distance(index) <= 0.5 * share);
            let narrowest = near.min_by(|&a, &b| {
                let by_width = self.widths[a].cmp(&self.widths[b]);
                by_width.then(distance(a).total_cmp(&distance(b)))
            });
            cuts.extend(narrowest.map(|index| index + 1));
        }
        cuts.dedup();
        cuts.retain(|&cut| cut < self.held.len());
        cuts
    }
}

#[cfg(test)]
mod tests;
