use burn::backend::{AutodiffBackend, BackendTypes, DispatchTensor, TensorMetadata};
use burn::module::{Module, ParamId};
use burn::tensor::{DeviceSettings, Tensor};
use burn_ir::TensorIr;

use super::LinearizeError;
use super::lifter::{AC, Lifter};
use super::lower::lower;
use super::program::{Port, Program};
use super::recording::{Recorder, Symbol, completed, record};

/// A loss and its gradient as a program, recorded from a closure.
///
/// Inputs are the model's tensors in visit order and then those of the batch, all as placeholders;
/// outputs the loss and one gradient for each parameter that has one.
#[derive(Debug, Clone)]
pub struct GradientTrace {
    /// The program.
    pub program: Program,
    /// What the inputs were bound to when the closure was traced.
    pub bindings: Vec<DispatchTensor>,
    /// The trained parameters in visit order.
    pub parameters: Vec<TracedParam>,
}

/// A trained parameter of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct TracedParam {
    /// Burn's identifier.
    pub id: ParamId,
    /// Index of the program's input.
    pub input: usize,
    /// Index of the program's output that is its gradient; none if the loss does not depend on it.
    pub gradient: Option<usize>,
}

/// Records the loss of `model` on a batch, and its backward pass.
///
/// `model` must be on autodiff, with the parameters to differentiate by requiring gradients. Only a
/// copy of it is used: running statistics stay what they are. Its fields of type `Tensor`, which are no
/// parameters, are copied to the host and become constants of the program.
/// `lift` brings the batch onto the recording device.
///
/// # Errors
///
/// [`LinearizeError::Closure`] if the closure panics while it is traced,
/// [`LinearizeError::NotScalar`], [`LinearizeError::Untracked`].
pub fn trace_gradient<M: Module, B>(
    model: M,
    settings: DeviceSettings,
    lift: impl FnOnce(&mut Lifter<'_>) -> B,
    loss: impl FnOnce(&M, B) -> Tensor<1>,
) -> Result<GradientTrace, LinearizeError> {
    let mut traced = None;
    let (graph, ()) = record(settings, |device, recorder, scope| {
        let mut lifter = Lifter::new(recorder);
        let model = lifter.module(&model, device);
        let batch = lift(&mut lifter);
        let loss = loss(&model, batch);
        if loss.shape().num_elements() != 1 {
            return Err(LinearizeError::NotScalar {
                shape: loss.shape().as_slice().to_vec(),
            });
        }
        if !loss.is_tracked() {
            return Err(LinearizeError::Untracked);
        }
        let loss = on_recorder(loss, "the loss")?;
        let mut outputs = vec![port(recorder, "loss", &loss.clone().into_primitive())];
        let gradients = AC::backward(loss);
        let mut parameters = Vec::new();
        for (input, id, leaf) in &lifter.leaves {
            let gradient = AC::grad(leaf, &gradients).map(|gradient| {
                let name = format!("gradient of {}", lifter.ports[*input].name);
                outputs.push(port(recorder, &name, &gradient));
                outputs.len() - 1
            });
            parameters.push(TracedParam {
                id: *id,
                input: *input,
                gradient,
            });
        }
        let (inputs, bindings) = (lifter.ports, lifter.bindings);
        let completed = completed(scope, unique(&inputs));
        traced = Some((inputs, outputs, bindings, parameters));
        Ok((completed, ()))
    })?;
    let Some((inputs, outputs, bindings, parameters)) = traced else {
        return Err(LinearizeError::Malformed {
            message: "an empty trace".into(),
        });
    };
    let program = Program::new(graph.graph.operations, inputs, outputs, graph.values)?;
    let program = lower(program, settings)?;
    Ok(GradientTrace {
        program,
        bindings,
        parameters,
    })
}

impl GradientTrace {
    /// The parameters by their indices.
    pub(crate) fn chosen(&self, wrt: &[usize]) -> Result<Vec<&TracedParam>, LinearizeError> {
        chosen(&self.parameters, wrt)
    }
}

/// The parameters by their indices.
pub(crate) fn chosen<'a>(
    parameters: &'a [TracedParam],
    wrt: &[usize],
) -> Result<Vec<&'a TracedParam>, LinearizeError> {
    let found = wrt.iter().map(|&index| {
        let parameter = parameters.get(index);
        parameter.ok_or_else(|| LinearizeError::Mismatch {
            what: format!("parameter {index}"),
            expected: format!("one of {} trained parameters", parameters.len()),
            found: "missing".into(),
        })
    });
    found.collect()
}

/// What a closure returned, as the recording device holds it.
pub(crate) fn on_recorder<const D: usize>(
    tensor: Tensor<D>,
    what: &str,
) -> Result<<AC as BackendTypes>::FloatTensorPrimitive, LinearizeError> {
    tensor
        .try_into_primitive::<AC>()
        .map_err(|error| LinearizeError::Closure {
            message: format!("{what} is not on the recording device: {error:?}"),
        })
}

/// A port for a symbol, which is held so that nothing writes over it.
pub(crate) fn port(recorder: &Recorder, name: &str, symbol: &Symbol) -> Port {
    recorder.hold(symbol);
    let tensor = TensorIr {
        id: symbol.id(),
        shape: symbol.shape(),
        status: burn_ir::TensorStatus::ReadOnly,
        dtype: symbol.dtype(),
    };
    Port {
        name: name.to_string(),
        tensor,
    }
}

/// The identifiers of ports, each once: two outputs may be one tensor.
pub(crate) fn unique(ports: &[Port]) -> Vec<burn_ir::TensorId> {
    let mut ids: Vec<_> = ports.iter().map(|port| port.tensor.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
