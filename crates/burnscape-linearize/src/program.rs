use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use burn::tensor::TensorData;
use burn_ir::{
    FloatOperationIr, IrVisitorMut, NumericOperationIr, OperationIr, TensorId, TensorIr,
    TensorStatus,
};

use super::LinearizeError;
use super::coverage::describe;

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
}

impl Program {
    /// Normalizes and validates a recorded line of operations.
    pub(crate) fn new(
        operations: Vec<OperationIr>,
        inputs: Vec<Port>,
        outputs: Vec<Port>,
        constants: BTreeMap<TensorId, TensorData>,
    ) -> Result<Self, LinearizeError> {
        let mut operations: Vec<OperationIr> = operations
            .into_iter()
            .filter(|op| !matches!(op, OperationIr::Init(_) | OperationIr::Drop(_)))
            .collect();
        for operation in &mut operations {
            operation.visit_mut(&mut ReadOnly);
        }
        let mut program = Self {
            operations,
            inputs,
            outputs,
            constants,
        };
        program.merge_equal();
        program.remove_dead();
        program.validate()?;
        Ok(program)
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
        }
    }

    /// The inputs, in the order in which values are bound to them.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
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

    /// Removes what no output needs.
    pub(crate) fn remove_dead(&mut self) {
        let mut needed: HashSet<TensorId> =
            self.outputs.iter().map(|port| port.tensor.id).collect();
        let mut kept = Vec::with_capacity(self.operations.len());
        for operation in self.operations.drain(..).rev() {
            if operation
                .outputs()
                .any(|tensor| needed.contains(&tensor.id))
            {
                needed.extend(operation.inputs().map(|tensor| tensor.id));
                kept.push(operation);
            }
        }
        kept.reverse();
        self.operations = kept;
        self.constants.retain(|id, _| needed.contains(id));
    }

    /// Merges operations that compute the same. Draws are never the same.
    fn merge_equal(&mut self) {
        let mut seen: HashMap<Key, Vec<TensorId>> = HashMap::new();
        let mut rename = Rename::default();
        let outputs: HashSet<TensorId> = self.outputs.iter().map(|port| port.tensor.id).collect();
        let mut kept = Vec::with_capacity(self.operations.len());
        for mut operation in self.operations.drain(..) {
            operation.visit_mut(&mut rename);
            let ids: Vec<TensorId> = operation.outputs().map(|tensor| tensor.id).collect();
            if !is_repeatable(&operation) || ids.iter().any(|id| outputs.contains(id)) {
                kept.push(operation);
                continue;
            }
            match seen.entry(without_outputs(&operation)) {
                Entry::Occupied(first) => {
                    rename
                        .0
                        .extend(ids.into_iter().zip(first.get().iter().copied()));
                }
                Entry::Vacant(vacant) => {
                    vacant.insert(ids);
                    kept.push(operation);
                }
            }
        }
        self.operations = kept;
    }

    fn validate(&self) -> Result<(), LinearizeError> {
        let malformed = |message: String| Err(LinearizeError::Malformed { message });
        let mut known: HashSet<TensorId> = self.inputs.iter().map(|port| port.tensor.id).collect();
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

/// Whether the operation gives the same again. Draws do not, and of custom and distributed ones
/// nobody knows.
fn is_repeatable(operation: &OperationIr) -> bool {
    !matches!(
        operation,
        OperationIr::Float(_, FloatOperationIr::Random(_))
            | OperationIr::NumericFloat(_, NumericOperationIr::IntRandom(_))
            | OperationIr::NumericInt(_, NumericOperationIr::IntRandom(_))
            | OperationIr::Custom(_)
            | OperationIr::Distributed(_)
    )
}

/// A key for what an operation computes: everything but the names of its results.
fn without_outputs(operation: &OperationIr) -> Key {
    let outputs: HashSet<TensorId> = operation.outputs().map(|tensor| tensor.id).collect();
    let mut anonymous = operation.clone();
    anonymous.visit_mut(&mut Anonymous(outputs));
    let mut hasher = DefaultHasher::new();
    anonymous.hash(&mut hasher);
    Key {
        hash: hasher.finish(),
        operation: anonymous,
    }
}

/// An operation as a key. Burn holds `0.0` and `-0.0` for equal and hashes them apart, and a NaN for
/// different from itself: keys are the same only if they are equal *and* hash alike, which is the
/// stricter of the two, and operations that hold a NaN are never merged.
struct Key {
    hash: u64,
    operation: OperationIr,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.operation == other.operation
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

struct Anonymous(HashSet<TensorId>);

impl IrVisitorMut for Anonymous {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        if self.0.contains(&tensor.id) {
            tensor.id = TensorId::new(u64::MAX);
        }
    }
}

/// Puts one tensor in another's place.
#[derive(Default)]
pub(crate) struct Rename(pub(crate) HashMap<TensorId, TensorId>);

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
