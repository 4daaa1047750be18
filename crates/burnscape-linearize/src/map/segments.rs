//! Programs that compute parts of their forward pass twice instead of holding all of its results.
//!
//! The forward pass is cut into segments where little memory crosses. What crosses a cut is kept. Everything else
//! that the backward pass reads of a segment, tangents included, is computed again shortly before it
//! is read, except for the last segment, which the backward pass reads first. The same operations on the same
//! operands give the same bits.

use burn_ir::{IrVisitorMut, OperationIr, TensorId, TensorIr};
use rustc_hash::{FxHashMap, FxHashSet};

use super::demand::on_demand;
use crate::program::{Program, Rename, Storage, first_free};

/// The program with its forward pass cut into `num_segments`, or `None` if it has no such cuts. `forward` are results of the forward
/// pass; what they depend on belongs to it as well.
pub(super) fn segmented(
    program: &Program,
    forward: &FxHashSet<TensorId>,
    num_segments: usize,
) -> Option<Program> {
    if num_segments < 2 {
        return None;
    }
    let (line, mut backward) = in_two(program, forward);
    let cuts = Line::new(&line, &backward).cuts(num_segments);
    if cuts.is_empty() {
        return None;
    }
    let mut copies = Copies::new(&line, &cuts, first_free(&program.operations));
    for operation in &mut backward {
        operation.visit_mut(&mut Redirect(&mut copies));
    }
    let copies = copies.made;
    let outputs = program.outputs.iter().map(|port| port.tensor.id);
    let operations = on_demand([line, backward].concat(), copies, outputs);
    let mut segmented = Program {
        operations,
        ..program.clone()
    };
    segmented.remove_dead();
    Some(segmented)
}

/// The operations of the forward pass, and all others, in their order.
fn in_two(
    program: &Program,
    forward: &FxHashSet<TensorId>,
) -> (Vec<OperationIr>, Vec<OperationIr>) {
    let mut needed: FxHashSet<TensorId> = FxHashSet::default();
    let mut is_forward = vec![false; program.operations.len()];
    for (index, operation) in program.operations.iter().enumerate().rev() {
        let is_needed = |tensor: &TensorIr| {
            forward.contains(&tensor.id) || needed.contains(&tensor.id)
        };
        if operation.outputs().any(is_needed) {
            needed.extend(operation.inputs().map(|tensor| tensor.id));
            is_forward[index] = true;
        }
    }
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for (operation, is_forward) in program.operations.iter().zip(is_forward) {
        let part = if is_forward { &mut first } else { &mut second };
        part.push(operation.clone());
    }
    (first, second)
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
            last.extend(operation.inputs().map(|tensor| (storage.owner(tensor.id), index)));
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

/// Copies of the operations of all segments but the last.
struct Copies<'p> {
    forward: &'p [OperationIr],
    /// For each result that is not kept, the operation that makes it.
    makers: FxHashMap<TensorId, usize>,
    names: Rename,
    is_made: Vec<bool>,
    made: Vec<OperationIr>,
    next: u64,
}

impl<'p> Copies<'p> {
    fn new(forward: &'p [OperationIr], cuts: &[usize], next: u64) -> Self {
        let segment = |index: usize| cuts.partition_point(|&cut| cut <= index);
        let mut makers: FxHashMap<TensorId, usize> = FxHashMap::default();
        for (index, operation) in forward.iter().enumerate() {
            if segment(index) < cuts.len() {
                makers.extend(operation.outputs().map(|tensor| (tensor.id, index)));
            }
        }
        for (index, operation) in forward.iter().enumerate() {
            for tensor in operation.inputs() {
                let maker = makers.get(&tensor.id);
                if maker.is_some_and(|&maker| segment(maker) < segment(index)) {
                    makers.remove(&tensor.id);
                }
            }
        }
        Self {
            forward,
            makers,
            names: Rename::default(),
            is_made: vec![false; forward.len()],
            made: Vec::new(),
            next,
        }
    }

    /// Copies what makes a tensor, unless it is kept.
    fn of(&mut self, id: TensorId) {
        let mut found = Vec::new();
        let mut stack = vec![id];
        while let Some(id) = stack.pop() {
            let Some(&index) = self.makers.get(&id) else {
                continue;
            };
            if !std::mem::replace(&mut self.is_made[index], true) {
                stack.extend(self.forward[index].inputs().map(|tensor| tensor.id));
                found.push(index);
            }
        }
        found.sort_unstable();
        for index in found {
            let mut operation = self.forward[index].clone();
            for out in operation.outputs() {
                // An unused second result may be kept under its own name.
                self.names.0.insert(out.id, TensorId::new(self.next));
                self.next += 1;
            }
            let kept = |id: &TensorId| !self.makers.contains_key(id);
            let outputs: Vec<TensorId> = operation.outputs().map(|out| out.id).collect();
            operation.visit_mut(&mut self.names);
            self.made.push(operation);
            // Later reads of results that are kept are reads of the original.
            for id in outputs.iter().filter(|id| kept(id)) {
                self.names.0.remove(id);
            }
        }
    }
}

/// Redirects reads to copies.
struct Redirect<'c, 'p>(&'c mut Copies<'p>);

impl IrVisitorMut for Redirect<'_, '_> {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        self.0.of(tensor.id);
        self.0.names.visit_tensor_mut(tensor);
    }
}

#[cfg(test)]
mod tests;
