use std::sync::Arc;

use burn::tensor::DeviceSettings;
use burn_ir::{OperationIr, TensorId, TensorIr};
use rustc_hash::FxHashSet;

use super::copies::TwoPasses;
use super::factors::{Composed, composed};
use super::lean::lean;
use super::segments::segmented;
use crate::LinearizeError;
use crate::program::{Port, Program, Storage, Tie, is_draw};

/// A program that is linear in its tangents, split into three parts: random draws, made once per point;
/// everything else that does not depend on a tangent, computed once per point; and the linear rest, computed for each
/// tangent.
///
/// Tensors computed once and read by the linear part are *residuals*. A product costs only the linear
/// part. Random draws are kept even if residuals are recomputed, so that all products belong to the same
/// operator.
///
/// A map is independent of a device; [`Linearized`](crate::Linearized) runs it on one.
#[derive(Debug, Clone)]
pub struct LinearMap {
    /// Random draws; has no inputs.
    pub(crate) draws: Arc<Program>,
    /// From primal inputs and draws to values and residuals.
    pub(crate) once: Arc<Program>,
    /// From residuals and tangents to results.
    pub(crate) each: Arc<Program>,
    pub(crate) num_values: usize,
    pub(crate) num_primal: usize,
    /// The comparisons to check at a point. Their counts are the last outputs of `once`.
    pub(crate) ties: Vec<Tie>,
    /// The results of the forward pass: everything up to the first value.
    pub(super) forward: Arc<FxHashSet<TensorId>>,
    pub(crate) settings: DeviceSettings,
}

impl LinearMap {
    /// Splits `program`. Its last `num_tangents` inputs are tangents, and its first `num_values` outputs do
    /// not depend on them.
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
        // The program is normalized, so its parts only need dead operations removed.
        let part = |operations: Vec<OperationIr>, inputs: Vec<Port>, outputs: Vec<Port>| {
            let mut part = Program::unchecked(operations, inputs, outputs, constants.clone());
            part.remove_dead();
            part
        };

        let forward = Arc::new(up_to(values.first(), &operations));
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
        // Dead operations are removed first, because only tensors that are still read can be residuals.
        let mut linear = Program::unchecked(each, Vec::new(), results.to_vec(), constants.clone());
        linear.remove_dead();
        let mut residuals = external(&linear, &moving);
        // Composed factors save steps; they are used unless the residuals would take more memory.
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
        let needed = external(&fewer, &moving);
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
            draws: Arc::new(part(draws, Vec::new(), drawn)),
            once: Arc::new(once),
            each: Arc::new(each),
            num_values,
            num_primal,
            ties,
            forward,
            settings,
        })
    }

    /// The program that runs for each tangent.
    pub fn each(&self) -> &Program {
        &self.each
    }

    /// The programs of a point and of a product, to tell their memory and cost: with residuals that are kept, or
    /// recomputed in a number of segments.
    #[doc(hidden)]
    pub fn programs(&self, segments: Option<usize>) -> [Program; 2] {
        match segments {
            None => [&self.once, &self.each].map(|part| Program::clone(part)),
            Some(segments) => [self.values(segments), self.whole(segments)],
        }
    }

    /// Whether the second value is the gradient.
    #[doc(hidden)]
    pub fn has_gradient(&self) -> bool {
        self.num_values > 1
    }

    /// The number of inputs of a point: those of the trace, and the noise.
    pub fn num_inputs(&self) -> usize {
        self.num_primal
    }

    /// The total length of the tangents.
    pub fn num_columns(&self) -> usize {
        let tangents = self.each.inputs.len() - self.num_residuals();
        let ports = self.each.inputs.iter().rev().take(tangents);
        ports.map(Port::num_elements).sum()
    }

    /// The total length of the results.
    pub fn num_rows(&self) -> usize {
        self.each.outputs.iter().map(Port::num_elements).sum()
    }

    /// From primal inputs, draws and a tangent to results: [`several`](Self::several) of one.
    pub(crate) fn whole(&self, segments: usize) -> Program {
        self.several(segments, 1)
    }

    /// From primal inputs and draws to values and counts of ties: `once` without residuals.
    pub(crate) fn values(&self, segments: usize) -> Program {
        let mut values = Program::clone(&self.once);
        let residuals = self.num_values..self.num_values + self.num_residuals();
        values.outputs.drain(residuals);
        values.remove_dead();
        self.in_segments(values, &self.forward, segments)
    }

    /// From primal inputs and draws to residuals.
    #[doc(hidden)]
    pub fn residuals(&self) -> Program {
        let mut residuals = Program::clone(&self.once);
        residuals.outputs = self.residual_ports().to_vec();
        residuals.remove_dead();
        residuals
    }

    /// From primal inputs and draws to the first value: the forward pass.
    #[doc(hidden)]
    pub fn first_value(&self) -> Program {
        self.once.first_output()
    }

    fn residual_ports(&self) -> &[Port] {
        &self.once.outputs[self.num_values..][..self.num_residuals()]
    }

    /// A program cut into segments, whose forward pass has the results `forward`.
    pub(super) fn in_segments(
        &self,
        program: Program,
        forward: &FxHashSet<TensorId>,
        segments: usize,
    ) -> Program {
        let passes = lean(&TwoPasses::of(&program, forward));
        let passes = segmented(&passes, segments).unwrap_or(passes);
        let other = passes.program(&program);
        // Where everything follows the value, as in a forward derivative, nothing is gained.
        if other.peak_bytes() < program.peak_bytes() {
            other
        } else {
            program
        }
    }

    pub(crate) fn num_residuals(&self) -> usize {
        self.once.outputs.len() - self.num_values - self.ties.len()
    }

    /// The memory of the residuals and draws of a point, in bytes, in addition to its inputs.
    #[doc(hidden)]
    pub fn residual_bytes(&self) -> usize {
        let storage = Storage::of(&self.once.operations);
        storage.total(self.residual_ports()) as usize + self.draw_bytes()
    }

    /// The memory of the draws of a point, in bytes.
    pub(crate) fn draw_bytes(&self) -> usize {
        let draws = self.draws.outputs.iter();
        draws
            .map(|port| port.num_elements() * port.tensor.dtype.size())
            .sum()
    }
}

/// The results of the operations up to the one that makes `value`; none without such an operation. That
/// `value` is flat is decided last, so it may be a view.
fn up_to(value: Option<&Port>, operations: &[OperationIr]) -> FxHashSet<TensorId> {
    let storage = Storage::of(operations);
    let value = value.map(|port| storage.owner(port.tensor.id));
    let makes = |operation: &OperationIr| {
        let is_it = |tensor: &TensorIr| Some(tensor.id) == value;
        operation.outputs().any(is_it)
    };
    let end = operations.iter().position(makes).map_or(0, |last| last + 1);
    let made = operations[..end].iter().flat_map(OperationIr::outputs);
    made.map(|tensor| tensor.id).collect()
}

/// The tensors that the linear program needs and does not compute, except constants.
fn external(linear: &Program, moving: &FxHashSet<TensorId>) -> Vec<Port> {
    let mut found = FxHashSet::default();
    let mut ports = Vec::new();
    let reads = linear.operations.iter().flat_map(OperationIr::inputs);
    let outputs = linear.outputs.iter().map(|port| &port.tensor);
    for tensor in reads.chain(outputs) {
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
