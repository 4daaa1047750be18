use burn::backend::ops::FloatTensorOps;
use burn::tensor::DeviceSettings;
use burn_ir::OperationIr;
use burn_router::RouterClient;

use super::LinearizeError;
use super::lifter::C;
use super::program::{Port, Program};
use super::recording::{completed, record};
use super::replay::declared;
use super::rule;
use super::slopes::Slopes;
use super::tape::Tape;
use super::ties::Tie;
use super::trace::unique;

/// A program with its forward derivative.
///
/// Inputs are those of the original, then one tangent for each input that was differentiated by;
/// outputs those of the original, then the tangents of those that have one.
#[derive(Debug, Clone)]
pub struct Jvp {
    /// The program.
    pub program: Program,
    /// For each differentiated input, the index of its tangent among the inputs.
    pub tangent_inputs: Vec<usize>,
    /// For each output of the original, the index of its tangent among the outputs; `None` is zero.
    pub tangent_outputs: Vec<Option<usize>>,
}

/// Differentiates a program along its inputs `wrt`: forward mode, exactly.
///
/// The result is a program again, so that this can be applied twice, and thrice. Applied to a
/// [gradient](super::trace_gradient), it gives the exact Hessian-vector product.
///
/// A program that selects by equality has a derivative where nothing is equal. Elsewhere running the
/// derivative is [`LinearizeError::Tie`].
///
/// # Errors
///
/// [`LinearizeError::NoRule`] for an operation whose derivative is not known; never a wrong number.
/// [`LinearizeError::Mismatch`] if an input that is asked for is not there, or holds no floats.
pub fn jvp(
    program: &Program,
    wrt: &[usize],
    settings: DeviceSettings,
) -> Result<Jvp, LinearizeError> {
    let recorded = recorded(program, wrt, settings)?;
    Ok(Jvp {
        program: recorded.program.in_order()?,
        ..recorded
    })
}

/// As [`jvp`], with what is equal or dead still in the program: for those who go on to build another
/// of it.
pub(crate) fn recorded(
    program: &Program,
    wrt: &[usize],
    settings: DeviceSettings,
) -> Result<Jvp, LinearizeError> {
    let mut built = None;
    let mut ties = program.ties.clone();
    let (graph, ()) = record(settings, |_, recorder, scope| {
        let mut tape = Tape::new(recorder, settings);
        let mut inputs = program.inputs.clone();
        let mut tangent_inputs = Vec::new();
        for &index in wrt {
            let Port { name, tensor } = differentiable(program, index)?;
            let tangent = recorder.placeholder(tensor.shape.clone(), tensor.dtype);
            // Read once, dead: the scope knows a tensor by the operations that touch it.
            drop(C::float_neg(tangent.clone()));
            tangent_inputs.push(inputs.len());
            inputs.push(super::trace::port(
                recorder,
                &format!("tangent of {name}"),
                &tangent,
            ));
            tape.set(tensor, Some(tangent))?;
        }
        let slopes = Slopes::of(program);
        for operation in &program.operations {
            recorder.client().register_op(operation.clone());
            if moves(&tape, operation)
                && !slopes.is_unread(operation)
                && !slopes.apply(operation, &mut tape)?
            {
                ties.extend(Tie::of(operation, program, wrt, &tape));
                rule::apply(operation, &mut tape)
                    .map_err(|error| with_origin(error, operation, program))?;
            }
        }
        let mut outputs = program.outputs.clone();
        let mut tangent_outputs = Vec::new();
        for Port { name, tensor } in &program.outputs {
            tangent_outputs.push(tape.tangent(tensor).map(|tangent| {
                outputs.push(super::trace::port(
                    recorder,
                    &format!("tangent of {name}"),
                    &tangent,
                ));
                outputs.len() - 1
            }));
        }
        let mut declared = declared(program);
        declared.extend(unique(&inputs[program.inputs.len()..]));
        let completed = completed(scope, declared);
        built = Some((inputs, outputs, tangent_inputs, tangent_outputs));
        Ok((completed, ()))
    })?;
    let Some((inputs, outputs, tangent_inputs, tangent_outputs)) = built else {
        return Err(LinearizeError::Malformed {
            message: "an empty derivative".into(),
        });
    };
    let mut constants = program.constants.clone();
    constants.extend(graph.values);
    let mut program = Program::unchecked(graph.graph.operations, inputs, outputs, constants);
    program.ties = ties;
    Ok(Jvp {
        program,
        tangent_inputs,
        tangent_outputs,
    })
}

fn differentiable(program: &Program, index: usize) -> Result<&Port, LinearizeError> {
    let port = program.inputs.get(index);
    let is_float = |port: &&Port| port.tensor.dtype.is_float();
    port.filter(is_float)
        .ok_or_else(|| LinearizeError::Mismatch {
            what: format!("input {index}"),
            expected: format!("one of {} inputs that hold floats", program.inputs.len()),
            found: port.map_or_else(
                || "missing".into(),
                |port| format!("{:?}", port.tensor.dtype),
            ),
        })
}

fn moves(tape: &Tape<'_>, operation: &OperationIr) -> bool {
    tape.is_moving(operation.inputs())
}

/// Adds the parameter that the operation reads, or the last one that was read before it: that is what
/// a user can find in the model.
fn with_origin(
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
    let parameter = |op: &OperationIr| {
        let ports = op.inputs().filter_map(|tensor| {
            let mut ports = program.inputs.iter();
            ports.find(|port| port.tensor.id == tensor.id && !port.name.starts_with("batch."))
        });
        ports.map(|port| port.name.clone()).next()
    };
    let origin = match parameter(operation) {
        Some(path) => format!(" (it reads `{path}`)"),
        None => {
            let before = program.operations.iter().take_while(|op| *op != operation);
            let path = before.filter_map(parameter).last();
            path.map_or_else(String::new, |path| format!(" (after `{path}`)"))
        }
    };
    LinearizeError::NoRule {
        operation: name,
        shapes,
        origin,
    }
}
