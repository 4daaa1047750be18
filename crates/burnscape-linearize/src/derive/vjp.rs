use burn::backend::ops::FloatTensorOps;
use burn::tensor::DeviceSettings;
use burn_ir::{OperationIr, TensorId, TensorIr, TensorStatus};
use burn_router::RouterClient;
use rustc_hash::{FxHashMap, FxHashSet};

use super::jvp::{Jvp, differentiable, jvp_unnormalized, with_origin};
use super::transpose::transpose;
use crate::LinearizeError;
use crate::program::{Port, Program, unique};
use crate::record::{C, Recorder, completed, record};
use crate::rule::Cotangents;

/// A program together with its reverse derivative.
///
/// The inputs are those of the original, followed by one cotangent per differentiated output. The outputs are
/// those of the original, followed by the gradients where these are not zero: the sums over the
/// outputs of cotangent times derivative.
#[derive(Debug, Clone)]
#[allow(dead_code, reason = "for derivatives inside of losses")]
pub(crate) struct Vjp {
    /// The program.
    pub(crate) program: Program,
    /// For each differentiated output, the index of its cotangent among the inputs.
    pub(crate) cotangents: Vec<usize>,
    /// For each input differentiated by, the index of its gradient among the outputs; `None` is zero.
    pub(crate) gradients: Vec<Option<usize>>,
}

/// Differentiates the outputs `of` with respect to the inputs `wrt`, exactly and in reverse mode.
///
/// The result is a program, so it can be differentiated again in either mode. What [`Program::jvp`] says of
/// comparisons for equality holds here too.
///
/// The forward derivative is linear in its tangents, and what is recorded is its transposition: one operation for
/// each that depends on a tangent. Values that only the derivative needs are recorded shortly before their use,
/// so that they do not take memory from the forward pass on.
///
/// # Errors
///
/// [`LinearizeError::NoRule`] for an operation without a derivative rule, and
/// [`LinearizeError::Mismatch`] if an index in `wrt` is not that of a float input, or one in `of` not that of a
/// float output.
#[allow(dead_code, reason = "for derivatives inside of losses")]
pub(crate) fn vjp(
    program: &Program,
    of: &[usize],
    wrt: &[usize],
    settings: DeviceSettings,
) -> Result<Vjp, LinearizeError> {
    let outputs: Vec<&Port> = of
        .iter()
        .map(|&index| differentiable(&program.outputs, index, "output"))
        .collect::<Result<_, _>>()?;
    let Jvp {
        program: linear,
        tangent_inputs,
        tangent_outputs,
    } = jvp_unnormalized(program, wrt, settings)?;
    let tangents = || tangent_inputs.iter().map(|&i| &linear.inputs[i].tensor);
    let (graph, mut reverse) = record(settings, |_, recorder, scope| {
        let given = given(&linear, program.inputs.len());
        for tensor in &given {
            touch(tensor, recorder);
        }
        let mut tape = Cotangents::new(
            recorder,
            settings,
            &linear.operations,
            tangents().map(|tangent| tangent.id),
        );
        let mut later = Later::of(&linear, program, &tape);
        for operation in &program.operations {
            recorder.client().register_op(operation.clone());
        }

        let mut inputs = program.inputs.clone();
        let mut cotangents = Vec::new();
        for (&index, Port { name, tensor }) in of.iter().zip(outputs) {
            let cotangent = recorder.input(tensor.shape.clone(), tensor.dtype);
            cotangents.push(inputs.len());
            inputs.push(recorder.port(&format!("cotangent of {name}"), &cotangent));
            if let Some(tangent) = tangent_outputs[index] {
                tape.add(&linear.outputs[tangent].tensor, cotangent)?;
            }
        }
        let mut last = None;
        let found = transpose(
            linear.operations.iter(),
            tangents(),
            &mut tape,
            |operation| {
                later.record(operation.inputs().map(|input| input.id), recorder);
                last = Some(operation);
            },
        );
        let found = found.map_err(|error| match last {
            Some(operation) => with_origin(error, operation, &linear),
            None => error,
        })?;
        later.record(linear.ties.iter().map(|tie| tie.count.id), recorder);

        let mut outputs = program.outputs.clone();
        let mut gradients = Vec::new();
        for (&index, gradient) in wrt.iter().zip(found) {
            gradients.push(gradient.map(|gradient| {
                let name = &program.inputs[index].name;
                outputs.push(recorder.port(&format!("gradient of {name}"), &gradient));
                outputs.len() - 1
            }));
        }
        let mut declared: Vec<TensorId> = given.iter().map(|tensor| tensor.id).collect();
        declared.extend(unique(&inputs[program.inputs.len()..]));
        let completed = completed(scope, declared);
        let program = Program::unchecked(Vec::new(), inputs, outputs, linear.constants.clone());
        let reverse = Vjp {
            program,
            cotangents,
            gradients,
        };
        Ok((completed, reverse))
    })?;
    let mut program = reverse.program;
    program.operations = graph.graph.operations;
    program.constants.extend(graph.values);
    program.ties = linear.ties;
    reverse.program = program.normalized()?;
    Ok(reverse)
}

/// The inputs of the original and the constants, of which the scope must know which are given.
fn given(linear: &Program, num_inputs: usize) -> Vec<TensorIr> {
    let inputs = linear.inputs[..num_inputs].iter();
    let constants = linear.constants.iter().map(|(&id, data)| TensorIr {
        id,
        shape: data.shape().clone(),
        status: TensorStatus::ReadOnly,
        dtype: data.dtype(),
    });
    let mut given: Vec<TensorIr> = inputs.map(|port| port.tensor.clone()).collect();
    given.extend(constants);
    given.sort_unstable_by_key(|tensor| tensor.id);
    given.dedup_by_key(|tensor| tensor.id);
    given
}

/// Reads a tensor, because the scope rejects given tensors that nothing reads, and which ones the transposition
/// reads is not known in advance. The read is dead and removed later.
fn touch(tensor: &TensorIr, recorder: &Recorder) {
    let symbol = recorder.named(tensor.id, tensor.shape.clone(), tensor.dtype);
    drop(C::float_neg(symbol));
}

/// The operations that a derivative adds to a program and that depend on no tangent, until they are recorded.
struct Later<'p> {
    /// In the order of the derivative.
    operations: Vec<Option<&'p OperationIr>>,
    /// The operation that makes a tensor.
    makers: FxHashMap<TensorId, usize>,
}

impl<'p> Later<'p> {
    fn of(linear: &'p Program, program: &Program, tape: &Cotangents<'_>) -> Self {
        let results = program.operations.iter().flat_map(OperationIr::outputs);
        let known: FxHashSet<TensorId> = results.map(|tensor| tensor.id).collect();
        let mut later = Self {
            operations: Vec::new(),
            makers: FxHashMap::default(),
        };
        for operation in &linear.operations {
            let is_value = !matches!(operation, OperationIr::Init(_) | OperationIr::Drop(_));
            let is_new = |tensor: &TensorIr| !known.contains(&tensor.id) && !tape.moves(tensor);
            if is_value && operation.outputs().all(is_new) {
                let index = later.operations.len();
                later.operations.push(Some(operation));
                let outputs = operation.outputs();
                later.makers.extend(outputs.map(|out| (out.id, index)));
            }
        }
        later
    }

    /// Records what makes the tensors, if it was not recorded yet.
    fn record(&mut self, tensors: impl Iterator<Item = TensorId>, recorder: &Recorder) {
        let mut needed: Vec<TensorId> = tensors.collect();
        let mut found = Vec::new();
        while let Some(id) = needed.pop() {
            let index = self.makers.get(&id).copied();
            if let Some((index, operation)) = index.and_then(|index| {
                let operation = self.operations[index].take()?;
                Some((index, operation))
            }) {
                needed.extend(operation.inputs().map(|input| input.id));
                found.push((index, operation));
            }
        }
        found.sort_unstable_by_key(|(index, _)| *index);
        for (_, operation) in found {
            recorder.client().register_op(operation.clone());
        }
    }
}

#[cfg(test)]
mod tests;
