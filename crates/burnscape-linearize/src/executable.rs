use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use burn_ir::{IrVisitorMut, OperationIr, TensorId, TensorIr, TensorStatus};
use rustc_hash::FxHashSet;

use super::Program;

/// A program that is ready to run: reads that are last are marked, so that Burn reuses their memory,
/// and what is left over is dropped as early as it can be. Constants alone outlive a run.
///
/// Inputs are consumed as well. Who wants to bind one again keeps a handle of its own; Burn then sees
/// the tensor shared and does not write over it.
#[derive(Debug, Clone)]
pub(crate) struct Executable {
    pub(crate) steps: Vec<OperationIr>,
    /// The inputs that something reads, by index: the others need not be bound.
    pub(crate) read: Vec<usize>,
    pub(crate) pace: Arc<Pace>,
}

/// How long the last run took. It decides where the next one takes place, and nothing of what it
/// computes.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// In microseconds; zero before the first run.
    micros: AtomicU64,
    /// Whether the next run is to be handed to the pool.
    is_long: AtomicBool,
}

impl Pace {
    /// What the threads of a pool are worth waking for: from outside, every kernel on several threads
    /// wakes them and is woken by them, which takes about as long as this in all.
    const WORTH_A_HANDOVER: u64 = 500;

    /// Whether `runs` of them together are worth waking the pool for.
    pub(crate) fn is_worth(&self, runs: usize) -> bool {
        self.micros.load(Ordering::Relaxed) * runs as u64 >= Self::WORTH_A_HANDOVER
    }

    /// Whether the next run is.
    pub(crate) fn is_long(&self) -> bool {
        self.is_long.load(Ordering::Relaxed)
    }

    pub(crate) fn note(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.store(micros.max(1), Ordering::Relaxed);
        // Half of it to stay: a run that is quicker in the pool does not come back for that.
        let worth = Self::WORTH_A_HANDOVER / if self.is_long() { 2 } else { 1 };
        self.is_long.store(micros >= worth, Ordering::Relaxed);
    }
}

impl Executable {
    pub(crate) fn new(program: &Program) -> Self {
        let outputs = program.outputs.iter().map(|port| port.tensor.id);
        let mut alive: FxHashSet<TensorId> = outputs.collect();
        alive.extend(program.constants.keys());
        let mut steps = Vec::with_capacity(program.operations.len());
        for operation in program.operations.iter().rev() {
            let mut operation = operation.clone();
            // Results that nobody reads, of operations with several.
            let unread = operation.outputs().filter(|out| !alive.contains(&out.id));
            steps.extend(unread.map(|out| OperationIr::Drop(as_last(out))));
            // Read twice by one operation, a tensor cannot be overwritten by it.
            let reads: Vec<TensorId> = operation.inputs().map(|tensor| tensor.id).collect();
            let is_read_twice = |id: TensorId| reads.iter().filter(|read| **read == id).count() > 1;
            for tensor in operation.inputs() {
                if is_read_twice(tensor.id) && alive.insert(tensor.id) {
                    steps.push(OperationIr::Drop(as_last(tensor)));
                }
            }
            operation.visit_mut(&mut LastReads { alive: &mut alive });
            steps.push(operation);
        }
        steps.reverse();
        let ports = program.inputs.iter().enumerate();
        let read = ports
            .filter(|(_, port)| alive.contains(&port.tensor.id))
            .map(|(index, _)| index)
            .collect();
        Self {
            steps,
            read,
            pace: Arc::default(),
        }
    }
}

fn as_last(tensor: &TensorIr) -> TensorIr {
    TensorIr {
        status: TensorStatus::ReadWrite,
        ..tensor.clone()
    }
}

/// Walking backwards, the first time that a tensor is met is its last read.
struct LastReads<'a> {
    alive: &'a mut FxHashSet<TensorId>,
}

impl IrVisitorMut for LastReads<'_> {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        if tensor.status == TensorStatus::ReadOnly && self.alive.insert(tensor.id) {
            tensor.status = TensorStatus::ReadWrite;
        }
    }
}
