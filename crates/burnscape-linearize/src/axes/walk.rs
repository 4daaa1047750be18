//! One walk over a program: the terms of every tensor.

use burn::tensor::TensorData;
use burn_ir::{OperationIr, TensorId, TensorIr};
use rustc_hash::{FxHashMap, FxHashSet};

use super::found::FixedReason;
use super::labels::Labels;
use super::term::{Term, Terms};
use crate::program::Program;

/// The lengths of the parts that an axis of an input starts with.
pub(super) type Cuts = FxHashMap<(usize, usize), Vec<usize>>;

/// A walk over a program.
pub(super) struct Walk<'p> {
    pub(super) program: &'p Program,
    pub(super) terms: Terms,
    pub(super) labels: FxHashMap<TensorId, Labels>,
    /// Tensors that exist within an operation only: a result without the axis along which it is mixed.
    pub(super) inner: Vec<Labels>,
    /// The tensors that an operation reads or that are outputs.
    pub(super) read: FxHashSet<TensorId>,
    /// The tensors that depend on the batch.
    varying: FxHashSet<TensorId>,
    /// The tensors of the batch that are multiplied by parameters, each with the axis that is summed over.
    pub(super) activations: Vec<(TensorIr, usize)>,
}

impl<'p> Walk<'p> {
    /// Walks the program once. The first `num_free` inputs that are floats have free axes.
    pub(super) fn new(program: &'p Program, num_free: usize, cuts: &Cuts) -> Self {
        let mut walk = Self::without_outputs(program, num_free, cuts);
        for port in &program.outputs {
            let labels = walk.of(&port.tensor);
            for axis in &labels.axes {
                walk.terms.fix(axis, FixedReason::Output);
                walk.terms.use_(axis);
            }
        }
        walk
    }

    /// A walk that leaves the outputs free.
    pub(super) fn without_outputs(program: &'p Program, num_free: usize, cuts: &Cuts) -> Self {
        let reads = program.operations.iter().flat_map(OperationIr::inputs);
        let outputs = program.outputs.iter().map(|port| &port.tensor);
        let mut walk = Self {
            program,
            terms: Terms::default(),
            labels: FxHashMap::default(),
            inner: Vec::new(),
            read: reads.chain(outputs).map(|tensor| tensor.id).collect(),
            varying: FxHashSet::default(),
            activations: Vec::new(),
        };
        for (input, port) in program.inputs.iter().enumerate() {
            let is_free = input < num_free && port.tensor.dtype.is_float();
            let is_of_batch = input >= num_free;
            if is_of_batch {
                walk.varying.insert(port.tensor.id);
            }
            let axes = port.shape().iter().enumerate().map(|(axis, &len)| {
                if !is_free {
                    let reason = if is_of_batch {
                        FixedReason::Input
                    } else {
                        FixedReason::Constant
                    };
                    return walk.terms.fixed(len, reason);
                }
                match cuts.get(&(input, axis)) {
                    None => walk.terms.free(len),
                    Some(lengths) => {
                        let parts = lengths.iter().map(|&len| walk.terms.free(len));
                        Term::Sum(parts.collect())
                    }
                }
            });
            let labels = Labels::of(axes.collect());
            walk.labels.insert(port.tensor.id, labels);
        }
        for (&id, data) in &program.constants {
            let labels = constant(&mut walk.terms, data);
            walk.labels.insert(id, labels);
        }
        for (index, operation) in program.operations.iter().enumerate() {
            walk.terms.operation = Some(index);
            walk.step(operation);
        }
        walk.terms.operation = None;
        walk
    }

    fn step(&mut self, operation: &OperationIr) {
        if !super::rules::moves_values(operation) {
            for tensor in operation.inputs() {
                if let Some(labels) = self.labels.get(&tensor.id) {
                    labels.axes.iter().for_each(|axis| self.terms.use_(axis));
                }
            }
        }
        if operation
            .inputs()
            .any(|tensor| self.varying.contains(&tensor.id))
        {
            self.varying
                .extend(operation.outputs().map(|tensor| tensor.id));
        }
        let results = self.results(operation);
        for (out, labels) in operation.outputs().zip(results) {
            self.labels.insert(out.id, labels);
        }
    }

    /// The axes of an operand, with cases.
    pub(super) fn with_cases(&mut self, tensor: &TensorIr) -> Labels {
        match self.labels.get(&tensor.id) {
            Some(labels) => labels.clone(),
            // A program is validated, so this cannot be; fixed axes are right for any tensor.
            None => self
                .terms
                .all_fixed(tensor.shape.as_slice(), FixedReason::NoRule),
        }
    }

    /// The axes of an operand, without cases.
    pub(super) fn of(&mut self, tensor: &TensorIr) -> Labels {
        let labels = self.with_cases(tensor);
        match labels.case {
            Some(_) => self.terms.collapsed(labels),
            None => labels,
        }
    }

    /// Notes that a tensor is multiplied by another one and summed over an axis.
    pub(super) fn multiplied(&mut self, tensor: &TensorIr, axis: usize, by: &TensorIr) {
        let varies = |tensor: &TensorIr| self.varying.contains(&tensor.id);
        let is_known = |(known, at): &(TensorIr, usize)| known.id == tensor.id && *at == axis;
        if varies(tensor) && !varies(by) && !self.activations.iter().any(is_known) {
            self.activations.push((tensor.clone(), axis));
        }
    }

    /// Whether a tensor depends on the batch.
    pub(super) fn is_varying(&self, tensor: &TensorIr) -> bool {
        self.varying.contains(&tensor.id)
    }

    /// Whether a second result is read.
    pub(super) fn is_read(&self, tensor: &TensorIr) -> bool {
        self.read.contains(&tensor.id)
    }
}

/// A constant is uniform along the axes on which it does not vary.
fn constant(terms: &mut Terms, data: &TensorData) -> Labels {
    let shape = data.shape().as_slice().to_vec();
    let bytes = data.as_bytes();
    let count: usize = shape.iter().product();
    let width = bytes.len().checked_div(count).unwrap_or(0);
    let is_whole = width > 0 && width * count == bytes.len();
    let element = |index: usize| &bytes[index * width..(index + 1) * width];
    let mut stride = count;
    let axes = shape.iter().map(|&len| {
        stride = stride.checked_div(len).unwrap_or(0);
        let varies = || {
            (0..count).any(|index| {
                let place = (index / stride) % len;
                element(index) != element(index - place * stride)
            })
        };
        match len {
            0 | 1 => Terms::uniform(&[len]).axes.swap_remove(0),
            _ if !is_whole || varies() => terms.fixed(len, FixedReason::Constant),
            _ => Term::Uniform(len),
        }
    });
    Labels::of(axes.collect())
}
