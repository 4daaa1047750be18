use std::collections::HashSet;

use burn::backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn::tensor::{DType, DeviceSettings, Scalar};
use burn_ir::{ActivationOperationIr, OperationIr, TensorId, TensorIr};
use burn_router::RouterClient;

use crate::LinearizeError;
use crate::coverage::{Rule, describe};
use crate::program::Program;
use crate::record::{C, Recorder, Symbol, completed, declared, record};

impl Program {
    /// A program with the same inputs whose outputs are the discrete decisions of this one, as floats:
    /// results of comparisons, positions of extrema, signs and roundings.
    ///
    /// A piecewise smooth function is smooth where its decisions do not change, and the program of a
    /// derivative contains all of them explicitly. If the decisions of its [derivative](Program::jvp) agree
    /// at two points, both points are on one smooth piece, and finite differences between them are valid.
    /// If not, a kink of a ReLU or a tie in max pooling lies between them.
    ///
    /// # Cost
    ///
    /// Running it costs the part of the program that the decisions depend on.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Internal`] if the program is not well formed.
    pub fn decisions(&self, settings: DeviceSettings) -> Result<Self, LinearizeError> {
        let found = decisions(self);
        let (graph, outputs) = record(settings, |_, recorder, scope| {
            for operation in &self.operations {
                recorder.client().register_op(operation.clone());
            }
            let outputs = found.iter().enumerate().map(|(index, decision)| {
                let floats = floats(recorder, decision, settings);
                recorder.port(&format!("decision {index}"), &floats)
            });
            let outputs = outputs.collect();
            Ok((completed(scope, declared(self)), outputs))
        })?;
        let mut constants = self.constants.clone();
        constants.extend(graph.values);
        let inputs = self.inputs.clone();
        Self::new(graph.graph.operations, inputs, outputs, constants)
    }
}

/// A discontinuous quantity.
enum Decision {
    /// A result without a tangent, computed from floats with one.
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
        // The backward pass of ReLU tests the sign of the output implicitly.
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
