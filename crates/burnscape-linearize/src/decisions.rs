use std::collections::HashSet;

use burn::backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn::tensor::{DType, DeviceSettings, Scalar};
use burn_ir::{ActivationOperationIr, OperationIr, TensorId, TensorIr};
use burn_router::RouterClient;

use super::LinearizeError;
use super::coverage::{Rule, describe};
use super::lifter::C;
use super::program::{Port, Program};
use super::recording::{Recorder, Symbol, completed, record};
use super::replay::declared;
use super::trace::port;

impl Program {
    /// What the program decides by the values of its inputs, as a program of the same inputs: the
    /// results of comparisons, the places of extrema, signs and roundings, each as floats.
    ///
    /// A piecewise smooth function is smooth where its decisions do not change, and the derivative of
    /// one writes every decision out. So, differences of a program between points at which the
    /// decisions of its [derivative](super::jvp) are equal are those of a smooth function; where they
    /// differ, a kink of ReLU or a tie of max pooling lies between.
    ///
    /// # Cost
    ///
    /// Running it takes as much as the decisions need of the program.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Malformed`] if the program is not well formed.
    pub fn decisions(&self, settings: DeviceSettings) -> Result<Self, LinearizeError> {
        let found = decisions(self);
        let mut outputs = Vec::with_capacity(found.len());
        let (graph, ()) = record(settings, |_, recorder, scope| {
            for operation in &self.operations {
                recorder.client().register_op(operation.clone());
            }
            for (index, decision) in found.iter().enumerate() {
                let floats = floats(recorder, decision, settings);
                outputs.push(port(recorder, &format!("decision {index}"), &floats));
            }
            Ok((completed(scope, declared(self)), ()))
        })?;
        let mut constants = self.constants.clone();
        constants.extend(graph.values);
        let inputs: Vec<Port> = self.inputs.clone();
        Self::new(graph.graph.operations, inputs, outputs, constants)
    }
}

/// Something that jumps.
enum Decision {
    /// A result that does not move although it is computed from floats that do.
    Result(TensorIr),
    /// Whether the elements of an operand are positive.
    Positive(TensorIr),
}

fn decisions(program: &Program) -> Vec<Decision> {
    let inputs = program.inputs.iter().map(|port| port.tensor.id);
    let mut moving: HashSet<TensorId> = inputs.collect();
    let mut found = Vec::new();
    for operation in &program.operations {
        let mut read = operation
            .inputs()
            .filter(|tensor| moving.contains(&tensor.id));
        if !read.any(|tensor| tensor.dtype.is_float()) {
            continue;
        }
        // The backward pass of ReLU looks at its output's sign without saying so.
        if let OperationIr::Activation(ActivationOperationIr::ReluBackward(op)) = operation
            && moving.contains(&op.lhs.id)
        {
            found.push(Decision::Positive(op.lhs.clone()));
        }
        let is_constant = describe(operation).1 == Rule::Constant;
        for tensor in operation.outputs() {
            if is_constant || !tensor.dtype.is_float() {
                found.push(Decision::Result(tensor.clone()));
            } else {
                moving.insert(tensor.id);
            }
        }
    }
    found
}

fn floats(recorder: &Recorder, decision: &Decision, settings: DeviceSettings) -> Symbol {
    let (Decision::Result(tensor) | Decision::Positive(tensor)) = decision;
    let symbol = recorder.named(tensor.id, tensor.shape.clone(), tensor.dtype);
    let dtype = settings.float_dtype;
    if let Decision::Positive(_) = decision {
        let mask = C::float_greater_elem(symbol, Scalar::Float(0.0), settings.bool_dtype);
        return C::bool_into_float(mask, dtype);
    }
    match tensor.dtype {
        DType::Bool(_) => C::bool_into_float(symbol, dtype),
        other if other.is_float() => symbol,
        _ => C::int_into_float(symbol, dtype),
    }
}
