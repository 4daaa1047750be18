use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use burn::tensor::TensorData;
use burn_ir::{IrVisitorMut, OperationIr, TensorId, TensorIr, TensorStatus};
use rustc_hash::{FxHashMap, FxHashSet};

use super::LinearizeError;
use super::coverage::describe;
use super::ties::Tie;

/// An input or output of a [`Program`].
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    /// What it stands for: a parameter's path, `batch.0`, `loss`, ….
    pub(crate) name: String,
    pub(crate) tensor: TensorIr,
}

impl Port {
    /// What the port stands for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its shape.
    pub fn shape(&self) -> &[usize] {
        self.tensor.shape.as_slice()
    }

    /// Number of elements.
    pub fn num_elements(&self) -> usize {
        self.tensor.shape.num_elements()
    }
}

/// A straight line of tensor operations: inputs, constants, operations in order, outputs.
///
/// The one data structure of the engine. Every tensor is defined once, dead operations are removed
/// and equal ones merged (random draws never are).
#[derive(Debug, Clone)]
pub struct Program {
    pub(crate) operations: Vec<OperationIr>,
    pub(crate) inputs: Vec<Port>,
    pub(crate) outputs: Vec<Port>,
    pub(crate) constants: BTreeMap<TensorId, TensorData>,
    /// The operations that were written out in their parts, with the tensor that holds the result.
    pub(crate) written_out: Vec<(TensorId, String)>,
    /// What a derivative must not meet equal.
    pub(crate) ties: Vec<Tie>,
}

impl Program {
    /// Normalizes and validates a recorded line of operations.
    pub(crate) fn new(
        operations: Vec<OperationIr>,
        inputs: Vec<Port>,
        outputs: Vec<Port>,
        constants: BTreeMap<TensorId, TensorData>,
    ) -> Result<Self, LinearizeError> {
        Self::unchecked(operations, inputs, outputs, constants).in_order()
    }

    /// Removes what is no computation, what is equal and what is dead, and validates what is left.
    pub(crate) fn in_order(mut self) -> Result<Self, LinearizeError> {
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

    /// A program as it is given, before it is put in order.
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
            written_out: Vec::new(),
            ties: Vec::new(),
        }
    }

    /// The inputs, in the order in which values are bound to them.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// The index of the input of a name: a parameter's path, or `batch.0` and so on in the order in
    /// which tensors were lifted.
    pub fn input(&self, name: &str) -> Option<usize> {
        self.inputs.iter().position(|port| port.name == name)
    }

    /// The outputs.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// Number of operations.
    pub fn num_operations(&self) -> usize {
        self.operations.len()
    }

    /// The name of each operation, in order: `NumericFloat::Add` for instance.
    pub fn operation_names(&self) -> impl Iterator<Item = String> {
        self.operations
            .iter()
            .map(|operation| describe(operation).0)
    }

    /// The names of the operations that one output needs, each once: for a gradient, those of output 0
    /// are the forward pass and the others the backward pass. Operations that were
    /// [written out](super::Rule::WrittenOut) count under their own name, besides their parts.
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
        let whole = self
            .written_out
            .iter()
            .filter(|(id, _)| needed.contains(id));
        names.extend(whole.map(|(_, name)| name.clone()));
        names
    }

    /// What has to be there in the end: outputs, and what tells of ties.
    pub(crate) fn roots(&self) -> impl Iterator<Item = TensorId> {
        let outputs = self.outputs.iter().map(|port| port.tensor.id);
        outputs.chain(self.ties.iter().map(|tie| tie.count.id))
    }

    /// Removes what no output needs.
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
        self.constants.retain(|id, _| needed.contains(id));
    }

    pub(crate) fn validate(&self) -> Result<(), LinearizeError> {
        let malformed = |message: String| Err(LinearizeError::Malformed { message });
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
        match self
            .outputs
            .iter()
            .find(|port| !known.contains(&port.tensor.id))
        {
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

/// Puts one tensor in another's place.
#[derive(Default)]
pub(crate) struct Rename(pub(crate) FxHashMap<TensorId, TensorId>);

impl IrVisitorMut for Rename {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        if let Some(id) = self.0.get(&tensor.id) {
            tensor.id = *id;
        }
    }
}

/// In a program every tensor may be read again; which reads are last is decided when it is run.
struct ReadOnly;

impl IrVisitorMut for ReadOnly {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        if tensor.status == TensorStatus::ReadWrite {
            tensor.status = TensorStatus::ReadOnly;
        }
    }
}
