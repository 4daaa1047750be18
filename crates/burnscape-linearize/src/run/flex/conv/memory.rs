//! The buffers of a kernel, from the shapes alone.

use burn_ir::{OperationIr, TensorId, TensorIr};
use rustc_hash::FxHashMap;

use super::correlate::{PANEL, rows_at_once};
use super::cost::Way;
use super::inner::sums_len;
use super::operation::Operation;
use super::pairs::pairs;
use super::plan::Plan;
use super::vectors::{MAX_LANES, lanes};
use super::{Conv, Kind};
use crate::program::{Program, bytes};

/// The output positions whose columns Burn makes at once.
const BURN_TILE: usize = 512;
/// The memory to which Burn limits the columns of a transposed convolution of one image, in bytes.
const BURN_COLUMNS: usize = 8 << 20;

/// The memory that a convolution needs beside its operands and its result, in bytes, with the kernel that is chosen.
/// `None` for other operations.
pub(in super::super) fn workspace(
    operation: &OperationIr,
    is_contiguous: &dyn Fn(&TensorIr) -> bool,
) -> Option<u64> {
    let Operation {
        kind,
        conv,
        operands,
        out,
        ..
    } = Operation::of(operation)?;
    let size = out.dtype.size();
    if conv.is_faster(kind) {
        // Kernels read adjacent numbers.
        let copied = operands
            .into_iter()
            .filter(|operand| !is_contiguous(operand));
        return Some(copied.map(bytes).sum::<u64>() + conv.buffers(kind, size) as u64);
    }
    // Burn copies the operands of a weight's gradient anyway.
    let copied = operands
        .into_iter()
        .filter(|operand| kind != Kind::Weight && !is_contiguous(operand));
    Some(copied.map(bytes).sum::<u64>() + conv.buffers_of_burn(kind, size) as u64)
}

/// What the sums of two convolutions that run as one need beyond both results, which are then never there at the same time:
/// in bytes, by the sum.
pub(in super::super) fn joined(program: &Program) -> FxHashMap<TensorId, u64> {
    let sums = pairs(program, |found| found.conv.is_faster(found.kind));
    let beside = sums.into_iter().map(|(_, [term, _])| {
        let Operation {
            kind, conv, out, ..
        } = term;
        let buffers = conv.buffers_of(kind, out.dtype.size(), 2) as u64;
        (out.id, buffers.saturating_sub(bytes(out)))
    });
    beside.collect()
}

/// The numbers of this size in a vector.
fn lanes_of(size: usize) -> usize {
    match size {
        8 => lanes::<f64>(),
        _ => lanes::<f32>(),
    }
}

impl Conv {
    /// The buffers of our kernel for numbers of `size` bytes: weights in panels, and lines and sums for each thread.
    #[doc(hidden)]
    pub fn buffers(&self, kind: Kind, size: usize) -> usize {
        self.buffers_of(kind, size, 1)
    }

    /// The same for a sum over pairs of operands.
    pub(super) fn buffers_of(&self, kind: Kind, size: usize, num_pairs: usize) -> usize {
        let numbers = match kind {
            _ if self.is_tiled(kind) => self.tiled_buffers(kind, lanes_of(size), num_pairs),
            Kind::Forward => self.forward_buffers(num_pairs),
            Kind::Input => self.input_buffers(num_pairs),
            Kind::Weight => self.weight_buffers(num_pairs),
        };
        numbers * size
    }

    /// The number of tasks that run at the same time.
    fn threads(num_tasks: usize) -> usize {
        num_tasks.min(rayon::current_num_threads())
    }

    /// The numbers in lines, and the sums, of one task of a correlation.
    fn correlation(
        &self,
        plan: &Plan,
        [channels, rows]: [usize; 2],
        num_tasks: usize,
    ) -> [usize; 2] {
        let lines = channels * plan.num_lines * plan.line;
        if plan.is_dense() {
            return [lines, 0];
        }
        let pitch = plan.span.next_multiple_of(MAX_LANES);
        let at_once = if self.is_split(num_tasks) {
            rows
        } else {
            rows_at_once(pitch, false).min(rows)
        };
        [lines, at_once * pitch]
    }

    fn forward_buffers(&self, num_pairs: usize) -> usize {
        let [ci, co] = self.channels();
        let plan = self.forward_plan(num_pairs);
        let num_tasks = self.batch.div_ceil(plan.images);
        let depth = num_pairs * ci;
        let panels = self.groups * co.next_multiple_of(PANEL) * depth * self.taps();
        let [lines, sums] = self.correlation(&plan, [depth, co], num_tasks);
        panels + Self::threads(num_tasks) * (lines + sums)
    }

    fn input_buffers(&self, num_pairs: usize) -> usize {
        let [ci, co] = self.channels();
        let depth = num_pairs * co;
        let phases = self.phases(num_pairs);
        // The phases share the memory for lines, and that for sums.
        let (mut panels, mut largest, mut num_tasks) = (0, [0, 0], 1);
        for phase in &phases {
            num_tasks = self.batch.div_ceil(phase.plan.images);
            panels += self.groups * ci.next_multiple_of(PANEL) * depth * phase.taps.len();
            let own = self.correlation(&phase.plan, [depth, ci], num_tasks);
            largest = std::array::from_fn(|index| largest[index].max(own[index]));
        }
        panels + Self::threads(num_tasks) * (largest[0] + largest[1])
    }

    fn weight_buffers(&self, num_pairs: usize) -> usize {
        let [ci, co] = self.channels();
        let parts = self.division(num_pairs);
        let plan = &parts.plan;
        let mut task = ci * plan.num_lines * plan.line;
        task += co * plan.span.next_multiple_of(MAX_LANES);
        if parts.images != plan.images {
            task += sums_len(co, ci * self.taps());
        }
        (parts.count - 1) * self.weight_len() + Self::threads(parts.count) * task
    }

    /// The buffers of Burn's kernel for numbers of `size` bytes.
    #[doc(hidden)]
    pub fn buffers_of_burn(&self, kind: Kind, size: usize) -> usize {
        let [ci, co] = self.channels();
        let taps = self.taps();
        let columns = |positions: usize, channels: usize, rows: usize, tasks: usize| {
            Self::threads(tasks) * positions.min(BURN_TILE) * (channels * taps + rows)
        };
        let numbers = match self.way(kind) {
            Way::Columns => {
                let tasks = self.batch * self.positions().div_ceil(BURN_TILE);
                let copies = self.input_len() + self.weight_len();
                copies + columns(self.positions(), ci, co, tasks)
            }
            Way::Pointwise | Way::Small => 0,
            Way::Scattered | Way::ScatteredPointwise => {
                let columns = (ci * taps * self.positions()).min(BURN_COLUMNS / size);
                Self::threads(self.batch * self.groups) * columns
            }
            // A convolution of transposed copies, with the gradient as its kernel.
            Way::Weight => {
                let copies = 2 * (self.input_len() + self.output_len());
                let depth = self.batch * self.positions();
                let tile = taps.min(BURN_TILE) * (depth + co);
                copies + Self::threads(self.inputs) * tile
            }
        };
        numbers * size
    }
}
