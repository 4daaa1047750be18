use burn::tensor::DeviceSettings;
use burn_ir::OperationIr;
use burn_router::RouterClient;

use super::slopes::Slopes;
use super::ties;
use crate::LinearizeError;
use crate::program::{Port, Program, unique};
use crate::record::{completed, declared, record};
use crate::rule::{self, Tape};

/// A program together with its forward derivative.
///
/// The inputs are those of the original, followed by one tangent per differentiated input. The outputs are
/// those of the original, followed by their tangents where these are not zero.
#[derive(Debug, Clone)]
pub struct Jvp {
    /// The program.
    pub program: Program,
    /// For each differentiated input, the index of its tangent among the inputs.
    pub tangent_inputs: Vec<usize>,
    /// For each output of the original, the index of its tangent among the outputs; `None` is zero.
    pub tangent_outputs: Vec<Option<usize>>,
}

impl Jvp {
    /// The tangents among the inputs.
    pub(crate) fn tangents(&self) -> Vec<Port> {
        let inputs = self.tangent_inputs.iter();
        inputs
            .map(|&index| self.program.inputs[index].clone())
            .collect()
    }
}

impl Program {
    /// Differentiates the program with respect to its inputs `wrt`, exactly and in forward mode.
    ///
    /// The result is a program, so derivatives of any order are possible. Applied to a
    /// [gradient](crate::GradientTrace), it gives the exact Hessian-vector product.
    ///
    /// A program that compares values for equality has a derivative only where no values are equal. Elsewhere,
    /// running the derivative fails with [`LinearizeError::Tie`].
    ///
    /// # Errors
    ///
    /// [`LinearizeError::NoRule`] for an operation without a derivative rule, and
    /// [`LinearizeError::Mismatch`] if an index in `wrt` is not that of a float input.
    pub fn jvp(&self, wrt: &[usize], settings: DeviceSettings) -> Result<Jvp, LinearizeError> {
        let derivative = jvp_unnormalized(self, wrt, settings)?;
        Ok(Jvp {
            program: derivative.program.normalized()?,
            ..derivative
        })
    }
}

/// As [`Program::jvp`], without merging equal operations and removing dead ones, for callers that extend the
/// program first.
pub(crate) fn jvp_unnormalized(
    program: &Program,
    wrt: &[usize],
    settings: DeviceSettings,
) -> Result<Jvp, LinearizeError> {
    let (graph, mut derivative) = record(settings, |_, recorder, scope| {
        let mut tape = Tape::new(recorder, settings);
        let mut inputs = program.inputs.clone();
        let mut tangent_inputs = Vec::new();
        for &index in wrt {
            let Port { name, tensor } = differentiable(&program.inputs, index, "input")?;
            let tangent = recorder.input(tensor.shape.clone(), tensor.dtype);
            tangent_inputs.push(inputs.len());
            inputs.push(recorder.port(&format!("tangent of {name}"), &tangent));
            tape.set(tensor, Some(tangent))?;
        }
        let mut ties = program.ties.clone();
        let slopes = Slopes::of(program);
        for operation in &program.operations {
            recorder.client().register_op(operation.clone());
            if tape.is_moving(operation.inputs())
                && !slopes.is_unread(operation)
                && !slopes.apply(operation, &mut tape)?
            {
                ties.extend(ties::tie(operation, program, wrt, &tape));
                rule::apply(operation, &mut tape)
                    .map_err(|error| with_origin(error, operation, program))?;
            }
        }
        let mut outputs = program.outputs.clone();
        let mut tangent_outputs = Vec::new();
        for Port { name, tensor } in &program.outputs {
            tangent_outputs.push(tape.tangent(tensor).map(|tangent| {
                outputs.push(recorder.port(&format!("tangent of {name}"), &tangent));
                outputs.len() - 1
            }));
        }
        let mut declared = declared(program);
        declared.extend(unique(&inputs[program.inputs.len()..]));
        let completed = completed(scope, declared);
        let mut program =
            Program::unchecked(Vec::new(), inputs, outputs, program.constants.clone());
        program.ties = ties;
        let derivative = Jvp {
            program,
            tangent_inputs,
            tangent_outputs,
        };
        Ok((completed, derivative))
    })?;
    derivative.program.operations = graph.graph.operations;
    derivative.program.constants.extend(graph.values);
    Ok(derivative)
}

/// The port with this index, if it holds floats.
pub(super) fn differentiable<'p>(
    ports: &'p [Port],
    index: usize,
    kind: &str,
) -> Result<&'p Port, LinearizeError> {
    let port = ports.get(index);
    let is_float = |port: &&Port| port.tensor.dtype.is_float();
    port.filter(is_float)
        .ok_or_else(|| LinearizeError::Mismatch {
            what: format!("{kind} {index}"),
            expected: format!("a float {kind} among {}", ports.len()),
            found: port.map_or_else(|| "none".into(), |port| format!("{:?}", port.tensor.dtype)),
        })
}

/// Adds the [`origin`] of the operation to an error about it.
pub(super) fn with_origin(
    error: LinearizeError,
    operation: &OperationIr,
    program: &Program,
) -> LinearizeError {
    let LinearizeError::NoRule {
        operation: name,
        shapes,
        ..
    } = error
    else {
        return error;
    };
    LinearizeError::NoRule {
        operation: name,
        shapes,
        origin: origin(operation, program),
    }
}

/// The parameter that the operation reads, or the last one read before it, so that users can locate the
/// operation in their model.
pub(super) fn origin(operation: &OperationIr, program: &Program) -> String {
    let parameter = |op: &OperationIr| {
        let ports = op.inputs().filter_map(|tensor| {
            let mut ports = program.inputs.iter();
            ports.find(|port| port.tensor.id == tensor.id && !port.name.starts_with("batch."))
        });
        ports.map(|port| port.name.clone()).next()
    };
    match parameter(operation) {
        Some(path) => format!(" (it reads `{path}`)"),
        None => {
            let before = program.operations.iter().take_while(|op| *op != operation);
            let path = before.filter_map(parameter).last();
            path.map_or_else(String::new, |path| format!(" (after `{path}`)"))
        }
    }
}
