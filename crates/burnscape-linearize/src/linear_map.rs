use burn::tensor::DeviceSettings;
use burn_ir::{FloatOperationIr, NumericOperationIr, OperationIr, TensorId};
use rustc_hash::FxHashSet;

use super::LinearizeError;
use super::factors::{Composed, composed};
use super::program::{Port, Program};
use super::stats::Storage;
use super::ties::Tie;

/// A program that is linear in some of its inputs, in three parts: what is drawn at random once for
/// a point and a batch, what is computed once for them, and what is computed for each tangent.
///
/// Everything that does not depend on a tangent runs once and is kept as *residuals*; what remains
/// is linear in the tangent and is all that a product costs. Random draws come before everything
/// and are kept even where residuals are computed again, so that the operator stays one operator.
///
/// It belongs to no device: [`Linearized`](super::Linearized) runs it on one.
#[derive(Debug, Clone)]
pub struct LinearMap {
    /// Draws: no inputs.
    pub(crate) draws: Program,
    /// Primal inputs and draws to values and residuals.
    pub(crate) once: Program,
    /// Residuals and tangents to results.
    pub(crate) each: Program,
    pub(crate) num_values: usize,
    pub(crate) num_primal: usize,
    /// What must not be equal at a point. Counts of what is are the last outputs of `once`.
    pub(crate) ties: Vec<Tie>,
    pub(crate) settings: DeviceSettings,
}

impl LinearMap {
    /// Splits `program`, whose last `num_tangents` inputs are tangents and whose first `num_values`
    /// outputs do not depend on them.
    pub(crate) fn new(
        program: Program,
        num_tangents: usize,
        num_values: usize,
        settings: DeviceSettings,
    ) -> Result<Self, LinearizeError> {
        let Program {
            operations,
            inputs,
            outputs,
            constants,
            ties,
            ..
        } = program;
        let num_primal = inputs.len() - num_tangents;
        let (primal, tangents) = inputs.split_at(num_primal);
        let (values, results) = outputs.split_at(num_values);
        // The program is in order, so that a part of it only has to shed what it does not need.
        let part = |operations: Vec<OperationIr>, inputs: Vec<Port>, outputs: Vec<Port>| {
            let mut part = Program::unchecked(operations, inputs, outputs, constants.clone());
            part.remove_dead();
            part
        };

        let mut moving: FxHashSet<TensorId> = tangents.iter().map(|port| port.tensor.id).collect();
        let (mut draws, mut once, mut each) = (Vec::new(), Vec::new(), Vec::new());
        for operation in operations {
            if is_draw(&operation) {
                draws.push(operation);
            } else if operation.inputs().any(|tensor| moving.contains(&tensor.id)) {
                moving.extend(operation.outputs().map(|tensor| tensor.id));
                each.push(operation);
            } else {
                once.push(operation);
            }
        }
        // Dead code goes first: only what is still read can be a residual.
        let mut linear = Program::unchecked(each, Vec::new(), results.to_vec(), constants.clone());
        linear.remove_dead();
        let mut residuals = read_but_not_made(&linear, &moving);
        // Fewer steps, unless what they need takes more memory.
        let Composed {
            once: factors,
            each: fewer,
        } = composed(&linear, &moving, &once);
        moving.extend(
            fewer
                .iter()
                .flat_map(|operation| operation.outputs().map(|tensor| tensor.id)),
        );
        let fewer = Program::unchecked(fewer, Vec::new(), results.to_vec(), constants.clone());
        let needed = read_but_not_made(&fewer, &moving);
        let storage = Storage::of(once.iter().chain(&factors));
        let is_shorter = fewer.operations.len() < linear.operations.len();
        if is_shorter && storage.total(&needed) <= storage.total(&residuals) {
            once.extend(factors);
            (linear, residuals) = (fewer, needed);
        }
        let drawn = |operations: &[OperationIr]| -> Vec<Port> {
            let outputs = operations.iter().flat_map(OperationIr::outputs);
            let ports = outputs.enumerate().map(|(index, tensor)| Port {
                name: format!("draw {index}"),
                tensor: tensor.clone(),
            });
            ports.collect()
        };
        let drawn = drawn(&draws);
        let mut given = primal.to_vec();
        given.extend(drawn.iter().cloned());
        let mut kept = values.to_vec();
        kept.extend(residuals.iter().cloned());
        kept.extend(ties.iter().map(Tie::port));
        let mut linear_inputs = residuals;
        linear_inputs.extend(tangents.iter().cloned());
        let each = part(linear.operations, linear_inputs, results.to_vec());
        each.validate()?;
        let once = part(once, given, kept);
        once.validate()?;
        Ok(Self {
            draws: part(draws, Vec::new(), drawn),
            once,
            each,
            num_values,
            num_primal,
            ties,
            settings,
        })
    }

    /// The program that runs once for a point and a batch. Its first inputs are those that the map
    /// was traced with; its first outputs are the values (the loss first), then come the residuals, and counts of
    /// what must not be [equal](LinearizeError::Tie).
    pub fn once(&self) -> &Program {
        &self.once
    }

    /// The program that runs for each tangent.
    pub fn each(&self) -> &Program {
        &self.each
    }

    /// Number of inputs that a point is taken at: those that the map was traced with, and noise.
    pub fn num_inputs(&self) -> usize {
        self.num_primal
    }

    /// Length of the tangents, in all.
    pub fn num_columns(&self) -> usize {
        let tangents = self.each.inputs.len() - self.num_residuals();
        let ports = self.each.inputs.iter().rev().take(tangents);
        ports.map(Port::num_elements).sum()
    }

    /// Length of the results, in all.
    pub fn num_rows(&self) -> usize {
        self.each.outputs.iter().map(Port::num_elements).sum()
    }

    /// Primal inputs, draws and tangents to results: `once` and `each` in one run.
    pub(crate) fn whole(&self) -> Program {
        let mut operations = self.once.operations.clone();
        operations.extend(self.each.operations.iter().cloned());
        let mut inputs = self.once.inputs.clone();
        inputs.extend_from_slice(&self.each.inputs[self.num_residuals()..]);
        let mut constants = self.once.constants.clone();
        constants.extend(self.each.constants.clone());
        let outputs = self.each.outputs.clone();
        let mut whole = Program::unchecked(operations, inputs, outputs, constants);
        whole.remove_dead();
        whole
    }

    pub(crate) fn num_residuals(&self) -> usize {
        self.once.outputs.len() - self.num_values - self.ties.len()
    }
}

/// Whether the operation draws random numbers: it reads nothing and never gives the same again.
pub(crate) fn is_draw(operation: &OperationIr) -> bool {
    matches!(
        operation,
        OperationIr::Float(_, FloatOperationIr::Random(_))
            | OperationIr::NumericFloat(_, NumericOperationIr::IntRandom(_))
            | OperationIr::NumericInt(_, NumericOperationIr::IntRandom(_))
    )
}

/// What the linear program reads, or hands on, and does not make, constants apart.
fn read_but_not_made(linear: &Program, moving: &FxHashSet<TensorId>) -> Vec<Port> {
    let mut found = FxHashSet::default();
    let mut ports = Vec::new();
    let reads = linear.operations.iter().flat_map(OperationIr::inputs);
    let handed_on = linear.outputs.iter().map(|port| &port.tensor);
    for tensor in reads.chain(handed_on) {
        let is_known = moving.contains(&tensor.id) || linear.constants.contains_key(&tensor.id);
        if !is_known && found.insert(tensor.id) {
            let name = format!("residual {}", ports.len());
            ports.push(Port {
                name,
                tensor: tensor.clone(),
            });
        }
    }
    ports
}
