//! The data structure that everything else works on: a straight line of tensor operations.

mod double;
mod flops;
mod join;
mod kernels;
mod merge;
mod peak;
mod port;
mod rename;
mod storage;
mod tie;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use burn::tensor::TensorData;
use burn_ir::{
    FloatOperationIr, IrVisitorMut, NumericOperationIr, OperationIr, TensorId, TensorIr,
    TensorStatus,
};
use rustc_hash::FxHashSet;

use crate::LinearizeError;
use crate::coverage::describe;

pub use port::Port;

pub(crate) use join::join;
#[cfg(any(test, feature = "flex"))]
pub(crate) use kernels::is_kernel;
pub(crate) use merge::{Key, key};
pub(crate) use peak::{burn_workspace, is_arithmetic, is_comparison};
pub(crate) use port::unique;
pub(crate) use rename::{Rename, first_free};
#[cfg(feature = "flex")]
pub(crate) use storage::bytes;
pub(crate) use storage::{Storage, viewed};
pub(crate) use tie::Tie;

/// A straight line of tensor operations with inputs, constants and outputs.
///
/// Every tensor is defined exactly once. Dead operations are removed, and equal ones are merged, except
/// random draws.
#[derive(Debug, Clone)]
pub struct Program {
    pub(crate) operations: Vec<OperationIr>,
    pub(crate) inputs: Vec<Port>,
    pub(crate) outputs: Vec<Port>,
    pub(crate) constants: BTreeMap<TensorId, TensorData>,
    /// The composite operations that were decomposed, each with the tensor that holds its result.
    pub(crate) decomposed: Vec<(TensorId, String)>,
    /// The comparisons for equality that invalidate a derivative.
    pub(crate) ties: Vec<Tie>,
}

impl Program {
    /// Normalizes and validates recorded operations.
    pub(crate) fn new(
        operations: Vec<OperationIr>,
        inputs: Vec<Port>,
        outputs: Vec<Port>,
        constants: BTreeMap<TensorId, TensorData>,
    ) -> Result<Self, LinearizeError> {
        Self::unchecked(operations, inputs, outputs, constants).normalized()
    }

    /// Removes bookkeeping, duplicate and dead operations, and validates the result.
    pub(crate) fn normalized(mut self) -> Result<Self, LinearizeError> {
        self.operations
            .retain(|op| !matches!(op, OperationIr::Init(_) | OperationIr::Drop(_)));
        for operation in &mut self.operations {
            operation.visit_mut(&mut ReadOnly);
        }
        self.merge_equal();
        self.remove_dead();
        self.validate()?;
        Ok(self)
    }

    /// A program exactly as given, neither normalized nor validated.
    pub(crate) fn unchecked(
        operations: Vec<OperationIr>,
        inputs: Vec<Port>,
        outputs: Vec<Port>,
        constants: BTreeMap<TensorId, TensorData>,
    ) -> Self {
        Self {
            operations,
            inputs,
            outputs,
            constants,
            decomposed: Vec::new(),
            ties: Vec::new(),
        }
    }

    /// The inputs, in the order in which values are bound.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// The index of the input with this name: a parameter path, or `batch.0`, `batch.1`, … in the order in
    /// which the batch tensors were declared.
    pub fn input(&self, name: &str) -> Option<usize> {
        self.inputs.iter().position(|port| port.name == name)
    }

    /// The outputs.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// The program for its first output alone.
    #[doc(hidden)]
    #[must_use]
    pub fn first_output(&self) -> Self {
        let mut first = self.clone();
        first.outputs.truncate(1);
        // What compares values belongs to derivatives.
        first.ties.clear();
        first.remove_dead();
        first
    }

    /// The number of operations.
    pub fn num_operations(&self) -> usize {
        self.operations.len()
    }

    /// The name of each operation, in order, for instance `NumericFloat::Add`.
    #[cfg(test)]
    pub(crate) fn operation_names(&self) -> impl Iterator<Item = String> {
        self.operations
            .iter()
            .map(|operation| describe(operation).0)
    }

    /// The distinct names of the operations that one output depends on. For a gradient program, output 0
    /// needs the forward pass and the other outputs the backward pass. A
    /// [decomposed](crate::Rule::Decomposed) operation is listed under its own name as well as its parts.
    pub fn operation_names_of(&self, output: usize) -> BTreeSet<String> {
        let port = self.outputs.get(output);
        let mut needed: FxHashSet<TensorId> = port.map(|port| port.tensor.id).into_iter().collect();
        let mut names = BTreeSet::new();
        for operation in self.operations.iter().rev() {
            if operation
                .outputs()
                .any(|tensor| needed.contains(&tensor.id))
            {
                needed.extend(operation.inputs().map(|tensor| tensor.id));
                names.insert(describe(operation).0);
            }
        }
        let whole = self.decomposed.iter().filter(|(id, _)| needed.contains(id));
        names.extend(whole.map(|(_, name)| name.clone()));
        names
    }

    /// The tensors that must be computed: outputs, and the counts of ties.
    pub(crate) fn roots(&self) -> impl Iterator<Item = TensorId> {
        let outputs = self.outputs.iter().map(|port| port.tensor.id);
        outputs.chain(self.ties.iter().map(|tie| tie.count.id))
    }

    /// Removes operations and constants that no output needs.
    pub(crate) fn remove_dead(&mut self) {
        let mut needed: FxHashSet<TensorId> = self.roots().collect();
        let mut is_needed = vec![false; self.operations.len()];
        for (index, operation) in self.operations.iter().enumerate().rev() {
            let mut outputs = operation.outputs();
            if outputs.any(|tensor| needed.contains(&tensor.id)) {
                needed.extend(operation.inputs().map(|tensor| tensor.id));
                is_needed[index] = true;
            }
        }
        let mut is_needed = is_needed.into_iter();
        self.operations.retain(|_| is_needed.next() == Some(true));
        self.operations.shrink_to_fit();
        self.constants.retain(|id, _| needed.contains(id));
    }

    pub(crate) fn validate(&self) -> Result<(), LinearizeError> {
        let malformed = |message: String| Err(LinearizeError::Internal { message });
        let mut known: FxHashSet<TensorId> =
            self.inputs.iter().map(|port| port.tensor.id).collect();
        known.extend(self.constants.keys());
        for operation in &self.operations {
            if let Some(tensor) = operation
                .inputs()
                .find(|tensor| !known.contains(&tensor.id))
            {
                return malformed(format!("{} is read before it is defined", tensor.id));
            }
            for tensor in operation.outputs() {
                if !known.insert(tensor.id) {
                    return malformed(format!("{} is defined twice", tensor.id));
                }
            }
        }
        let mut outputs = self.outputs.iter();
        match outputs.find(|port| !known.contains(&port.tensor.id)) {
            Some(port) => malformed(format!("the output `{}` is not defined", port.name)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tensor =
            |tensor: &TensorIr| format!("%{}{:?}", tensor.id.value(), tensor.shape.as_slice());
        for port in &self.inputs {
            writeln!(f, "input  {} `{}`", tensor(&port.tensor), port.name)?;
        }
        for operation in &self.operations {
            let inputs: Vec<String> = operation.inputs().map(tensor).collect();
            let outputs: Vec<String> = operation.outputs().map(tensor).collect();
            let (outputs, inputs) = (outputs.join(", "), inputs.join(", "));
            writeln!(f, "{outputs} = {}({inputs})", describe(operation).0)?;
        }
        for port in &self.outputs {
            writeln!(f, "output {} `{}`", tensor(&port.tensor), port.name)?;
        }
        Ok(())
    }
}

/// In a program every tensor may be read again; last reads are marked when it is prepared to run.
struct ReadOnly;

impl IrVisitorMut for ReadOnly {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        if tensor.status == TensorStatus::ReadWrite {
            tensor.status = TensorStatus::ReadOnly;
        }
    }
}

/// Whether the operation draws random numbers: it reads nothing, and its result differs on every run.
pub(crate) fn is_draw(operation: &OperationIr) -> bool {
    matches!(
        operation,
        OperationIr::Float(_, FloatOperationIr::Random(_))
            | OperationIr::NumericFloat(_, NumericOperationIr::IntRandom(_))
            | OperationIr::NumericInt(_, NumericOperationIr::IntRandom(_))
    )
}
