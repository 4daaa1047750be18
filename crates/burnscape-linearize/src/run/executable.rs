use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use burn_ir::{IrVisitorMut, OperationIr, TensorId, TensorIr, TensorStatus};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::program::{Port, Program};

/// A program that is ready to run. Last reads are marked, so that Burn reuses the memory, and unused tensors
/// are dropped as early as possible. Only constants outlive a run.
///
/// Inputs are consumed as well. A caller that binds an input again keeps its own handle; Burn then sees
/// the tensor as shared and does not overwrite it.
#[derive(Debug, Clone)]
pub(super) struct Executable {
    pub(super) steps: Vec<OperationIr>,
    pub(super) inputs: Vec<Port>,
    /// The indices of the inputs that are read; the others need not be bound.
    pub(super) read: Vec<usize>,
    pub(super) outputs: Vec<Output>,
    pub(super) pace: Arc<Pace>,
}

/// An output of a program.
#[derive(Debug, Clone)]
pub(super) struct Output {
    pub(super) port: Port,
    /// Whether nothing reads the tensor afterwards: it is not a constant, nor a later output as well.
    pub(super) is_last: bool,
}

/// The duration of the last run. It affects where the next run takes place, but not its results.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// In microseconds; zero before the first run.
    micros: AtomicU64,
    /// Whether to hand the next run to the thread pool.
    is_long: AtomicBool,
}

impl Pace {
    /// The duration in microseconds from which waking the thread pool pays off. A run outside the pool
    /// wakes its threads, and is woken by them, for every multi-threaded kernel, which costs about as much.
    const WORTH_A_HANDOVER: u64 = 500;

    /// Whether this many runs together are worth waking the pool for.
    pub(super) fn is_worth(&self, runs: usize) -> bool {
        self.micros.load(Ordering::Relaxed) * runs as u64 >= Self::WORTH_A_HANDOVER
    }

    /// Whether the next run is worth waking the pool for.
    pub(super) fn is_long(&self) -> bool {
        self.is_long.load(Ordering::Relaxed)
    }

    pub(super) fn note(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.store(micros.max(1), Ordering::Relaxed);
        // Half the threshold to stay in the pool, because runs are faster there.
        let worth = Self::WORTH_A_HANDOVER / if self.is_long() { 2 } else { 1 };
        self.is_long.store(micros >= worth, Ordering::Relaxed);
    }
}

impl Executable {
    pub(super) fn new(program: &Program) -> Self {
        let outputs = program.outputs.iter().map(|port| port.tensor.id);
        let mut alive: FxHashSet<TensorId> = outputs.collect();
        alive.extend(program.constants.keys());
        let mut steps = Vec::with_capacity(program.operations.len());
        for operation in program.operations.iter().rev() {
            let mut operation = operation.clone();
            // Operations with several results may have unused ones.
            let unread = operation.outputs().filter(|out| !alive.contains(&out.id));
            steps.extend(unread.map(|out| OperationIr::Drop(as_last(out))));
            // An operation that reads a tensor twice must not overwrite it.
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
        steps.shrink_to_fit();
        let ports = program.inputs.iter().enumerate();
        let read = ports
            .filter(|(_, port)| alive.contains(&port.tensor.id))
            .map(|(index, _)| index)
            .collect();
        Self {
            steps,
            inputs: program.inputs.clone(),
            read,
            outputs: outputs_of(program),
            pace: Arc::default(),
        }
    }
}

/// The outputs. If two of them are the same tensor, the later one takes it.
fn outputs_of(program: &Program) -> Vec<Output> {
    let mut last: FxHashMap<TensorId, usize> = FxHashMap::default();
    for (index, port) in program.outputs.iter().enumerate() {
        if !program.constants.contains_key(&port.tensor.id) {
            last.insert(port.tensor.id, index);
        }
    }
    let ports = program.outputs.iter().enumerate();
    ports
        .map(|(index, port)| Output {
            port: port.clone(),
            is_last: last.get(&port.tensor.id) == Some(&index),
        })
        .collect()
}

fn as_last(tensor: &TensorIr) -> TensorIr {
    TensorIr {
        status: TensorStatus::ReadWrite,
        ..tensor.clone()
    }
}

/// Marks last reads. Operations are visited backwards, so the first visit to a tensor is its last read.
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
