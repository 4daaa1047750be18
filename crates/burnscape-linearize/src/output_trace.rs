use burn::backend::ops::FloatTensorOps;
use burn::backend::{AutodiffBackend, DispatchTensor};
use burn::module::Module;
use burn::tensor::{DType, DeviceSettings, Tensor};

use super::LinearizeError;
use super::lifter::{AC, C, Lifter};
use super::lower::lower;
use super::program::{Port, Program};
use super::recording::{Recorder, Symbol, completed, record};
use super::trace::{TracedParam, on_recorder, port, unique};

/// A model's outputs as programs: forwards, back from a cotangent, and what a criterion makes of
/// them.
///
/// With it come the Jacobian, Gauss-Newton and Fisher products of
/// [`LinearMap`](super::LinearMap).
#[derive(Debug, Clone)]
pub struct OutputTrace {
    /// Everything that was recorded.
    program: Program,
    /// What the inputs were bound to when the closures were traced.
    pub bindings: Vec<DispatchTensor>,
    /// The trained parameters in visit order; `gradient` counts within
    /// [`pullback`](Self::pullback).
    pub parameters: Vec<TracedParam>,
    pub(crate) outputs: Port,
    pub(crate) cotangent: Port,
    pulled: Vec<Port>,
    pub(crate) criterion: Option<Criterion>,
}

/// A criterion of the outputs as a function of its own.
#[derive(Debug, Clone)]
pub(crate) struct Criterion {
    /// Stands for the outputs.
    pub(crate) leaf: Port,
    pub(crate) loss: Port,
    pub(crate) gradient: Option<Port>,
}

impl OutputTrace {
    /// The model: its tensors and the batch in, the outputs out.
    pub fn forward(&self) -> Program {
        self.part(&[], vec![self.outputs.clone()])
    }

    /// The transposed Jacobian: a cotangent in the shape of the outputs comes in last, one gradient
    /// for each parameter that has one goes out.
    pub fn pullback(&self) -> Program {
        self.part(std::slice::from_ref(&self.cotangent), self.pulled.clone())
    }

    /// Shape of the outputs.
    pub fn output_shape(&self) -> &[usize] {
        self.outputs.shape()
    }

    /// Element type of the outputs.
    pub fn output_dtype(&self) -> DType {
        self.outputs.tensor.dtype
    }

    /// The criterion: outputs come in last, the loss and its gradient go out.
    pub(crate) fn criterion_program(&self) -> Option<Program> {
        let Criterion {
            leaf,
            loss,
            gradient,
        } = self.criterion.as_ref()?;
        let mut outputs = vec![loss.clone()];
        outputs.extend(gradient.clone());
        Some(self.part(std::slice::from_ref(leaf), outputs))
    }

    fn part(&self, more: &[Port], outputs: Vec<Port>) -> Program {
        let mut program = self.program.clone();
        program.inputs.truncate(self.bindings.len());
        program.inputs.extend_from_slice(more);
        program.outputs = outputs;
        program.remove_dead();
        program
    }
}

/// Records the outputs of `model` on a batch, and how a cotangent comes back from them.
///
/// As [`trace_gradient`](super::trace_gradient), with any number of outputs in place of a loss.
///
/// # Errors
///
/// [`LinearizeError::Closure`], [`LinearizeError::Untracked`].
pub fn trace_outputs<M: Module, B, const D: usize>(
    model: M,
    settings: DeviceSettings,
    lift: impl FnOnce(&mut Lifter<'_>) -> B,
    outputs: impl FnOnce(&M, &B) -> Tensor<D>,
) -> Result<OutputTrace, LinearizeError> {
    type Nothing<B, const D: usize> = fn(Tensor<D>, B) -> Tensor<1>;
    trace(model, settings, lift, outputs, None::<Nothing<B, D>>)
}

/// Records the outputs of `model` on a batch, how a cotangent comes back from them, and the loss and
/// gradient that a criterion makes of them.
///
/// # Errors
///
/// As [`trace_outputs`], and [`LinearizeError::NotScalar`].
pub fn trace_split<M: Module, B, const D: usize>(
    model: M,
    settings: DeviceSettings,
    lift: impl FnOnce(&mut Lifter<'_>) -> B,
    outputs: impl FnOnce(&M, &B) -> Tensor<D>,
    criterion: impl FnOnce(Tensor<D>, B) -> Tensor<1>,
) -> Result<OutputTrace, LinearizeError> {
    trace(model, settings, lift, outputs, Some(criterion))
}

fn trace<M: Module, B, const D: usize>(
    model: M,
    settings: DeviceSettings,
    lift: impl FnOnce(&mut Lifter<'_>) -> B,
    outputs: impl FnOnce(&M, &B) -> Tensor<D>,
    criterion: Option<impl FnOnce(Tensor<D>, B) -> Tensor<1>>,
) -> Result<OutputTrace, LinearizeError> {
    let mut traced = None;
    let (graph, ()) = record(settings, |device, recorder, scope| {
        let mut lifter = Lifter::new(recorder);
        let model = lifter.module(&model, device);
        let batch = lift(&mut lifter);
        let outputs = outputs(&model, &batch);
        if !outputs.is_tracked() {
            return Err(LinearizeError::Untracked);
        }
        let outputs = on_recorder(outputs, "the output")?;
        let end = port(recorder, "outputs", &outputs.clone().into_primitive());
        let like = |name: &str| {
            let symbol = recorder.placeholder(end.tensor.shape.clone(), end.tensor.dtype);
            drop(C::float_neg(symbol.clone()));
            (port(recorder, name, &symbol), symbol)
        };
        let criterion = match criterion {
            Some(criterion) => {
                let (leaf, symbol) = like("outputs");
                Some(judged(leaf, symbol, |z| criterion(z, batch), recorder)?)
            }
            None => None,
        };

        let (cotangent, symbol) = like("cotangent");
        let inner = AC::float_sum(AC::float_mul(outputs, AC::from_inner(symbol)));
        let gradients = AC::backward(inner);
        let (mut pulled, mut parameters) = (Vec::new(), Vec::new());
        for (input, id, leaf) in &lifter.leaves {
            let gradient = AC::grad(leaf, &gradients).map(|gradient| {
                let name = format!("pullback to {}", lifter.ports[*input].name);
                pulled.push(port(recorder, &name, &gradient));
                pulled.len() - 1
            });
            parameters.push(TracedParam {
                id: *id,
                input: *input,
                gradient,
            });
        }
        let (mut inputs, bindings) = (lifter.ports, lifter.bindings);
        inputs.extend(criterion.as_ref().map(|c: &Criterion| c.leaf.clone()));
        inputs.push(cotangent.clone());
        let mut ends = vec![end];
        if let Some(Criterion { loss, gradient, .. }) = &criterion {
            ends.push(loss.clone());
            ends.extend(gradient.clone());
        }
        ends.extend(pulled.iter().cloned());
        let given = unique(&inputs);
        let completed = completed(scope, given);
        traced = Some((inputs, ends, bindings, parameters, cotangent, criterion));
        Ok((completed, ()))
    })?;
    let Some((inputs, ends, bindings, parameters, cotangent, criterion)) = traced else {
        return Err(LinearizeError::Malformed {
            message: "an empty trace".into(),
        });
    };
    let program = Program::new(graph.graph.operations, inputs, ends, graph.values)?;
    let program = lower(program, settings)?;
    // Lowering gives results other names.
    let mut ends = program.outputs.iter().cloned();
    let missing = || LinearizeError::Malformed {
        message: "an output is missing".into(),
    };
    let outputs = ends.next().ok_or_else(missing)?;
    let criterion = match criterion {
        Some(Criterion { leaf, gradient, .. }) => Some(Criterion {
            leaf,
            loss: ends.next().ok_or_else(missing)?,
            gradient: match gradient {
                Some(_) => Some(ends.next().ok_or_else(missing)?),
                None => None,
            },
        }),
        None => None,
    };
    Ok(OutputTrace {
        pulled: ends.collect(),
        program,
        bindings,
        parameters,
        outputs,
        cotangent,
        criterion,
    })
}

fn judged<const D: usize>(
    leaf: Port,
    symbol: Symbol,
    criterion: impl FnOnce(Tensor<D>) -> Tensor<1>,
    recorder: &Recorder,
) -> Result<Criterion, LinearizeError> {
    let lifted = <AC as FloatTensorOps<AC>>::float_set_require_grad(AC::from_inner(symbol), true);
    let loss = criterion(Tensor::from_primitive::<AC>(lifted.clone()));
    if loss.shape().num_elements() != 1 {
        return Err(LinearizeError::NotScalar {
            shape: loss.shape().as_slice().to_vec(),
        });
    }
    if !loss.is_tracked() {
        return Err(LinearizeError::Untracked);
    }
    let loss = on_recorder(loss, "the loss")?;
    let end = port(recorder, "loss", &loss.clone().into_primitive());
    let gradients = AC::backward(loss);
    let gradient = AC::grad(&lifted, &gradients);
    Ok(Criterion {
        leaf,
        loss: end,
        gradient: gradient.map(|gradient| port(recorder, "gradient of outputs", &gradient)),
    })
}
