use std::collections::{HashMap, HashSet};

use burn_ir::TensorId;

use super::LinearizeError;
use super::jvp::Jvp;
use super::program::{Port, Program};

/// A derivative in two programs: what is computed once for a point and a batch, and what is computed
/// for each tangent.
///
/// Everything that does not depend on a tangent runs once and is kept as *residuals*; what remains is
/// linear in the tangent and is all that a product costs. Random draws are among the residuals, so
/// that the operator they define stays one operator.
#[derive(Debug, Clone)]
pub struct Split {
    /// From the original's inputs to its outputs and the residuals.
    pub once: Program,
    /// From residuals and tangents to the tangents of the outputs.
    pub each: Program,
    /// Number of the original's outputs; the outputs of `once` after them are residuals, in the order
    /// of the first inputs of `each`.
    pub num_outputs: usize,
}

/// Splits a forward derivative by what its tangents touch.
///
/// # Errors
///
/// [`LinearizeError::Malformed`] if the program is not well formed.
pub fn split(jvp: &Jvp) -> Result<Split, LinearizeError> {
    let Jvp {
        program,
        tangent_inputs,
        tangent_outputs,
    } = jvp;
    let tangents: Vec<Port> = tangent_inputs
        .iter()
        .map(|&index| program.inputs[index].clone())
        .collect();
    let mut moving: HashSet<TensorId> = tangents.iter().map(|port| port.tensor.id).collect();
    let (mut once, mut each) = (Vec::new(), Vec::new());
    for operation in &program.operations {
        if operation.inputs().any(|tensor| moving.contains(&tensor.id)) {
            moving.extend(operation.outputs().map(|tensor| tensor.id));
            each.push(operation.clone());
        } else {
            once.push(operation.clone());
        }
    }
    let num_outputs = tangent_outputs.len();
    let outputs = program.outputs[num_outputs..].to_vec();
    let first: HashSet<usize> = tangent_inputs.iter().copied().collect();
    let inputs: Vec<Port> = program
        .inputs
        .iter()
        .enumerate()
        .filter(|(index, _)| !first.contains(index))
        .map(|(_, port)| port.clone())
        .collect();
    // Dead code goes first: only what is still read can be a residual.
    let mut linear = Program::unchecked(each, Vec::new(), outputs, program.constants.clone());
    linear.remove_dead();
    let residuals = residuals(&linear, &moving);
    let mut results = program.outputs[..num_outputs].to_vec();
    results.extend(residuals.iter().cloned());
    let once = Program::new(once, inputs, results, program.constants.clone())?;
    let mut ports = residuals;
    ports.extend(tangents);
    let each = Program::new(linear.operations, ports, linear.outputs, linear.constants)?;
    Ok(Split {
        once,
        each,
        num_outputs,
    })
}

/// What the linear program reads and does not make, constants apart.
fn residuals(linear: &Program, moving: &HashSet<TensorId>) -> Vec<Port> {
    let mut found: HashMap<TensorId, ()> = HashMap::new();
    let mut ports = Vec::new();
    for operation in &linear.operations {
        for tensor in operation.inputs() {
            let is_known = moving.contains(&tensor.id) || linear.constants.contains_key(&tensor.id);
            if !is_known && found.insert(tensor.id, ()).is_none() {
                let name = format!("residual {}", ports.len());
                ports.push(Port {
                    name,
                    tensor: tensor.clone(),
                });
            }
        }
    }
    ports
}
