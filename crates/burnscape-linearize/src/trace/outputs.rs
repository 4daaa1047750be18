use burn::backend::ops::FloatTensorOps;
use burn::backend::{AutodiffBackend, DispatchTensor};
use burn::module::Module;
use burn::tensor::{DType, DeviceSettings, Tensor};
use burn_capture::CapturedGraph;
use burn_ir::TensorIr;

use super::fields::{Fields, without_zeros};
use super::inputs::Inputs;
use super::parameter::TracedParam;
use super::returned;
use crate::LinearizeError;
use crate::derive::{Derivative, FieldNotes, with_derivatives};
use crate::lower::lower;
use crate::program::{Port, Program, unique};
use crate::record::{AC, Recorder, Symbol, completed, record};

/// The outputs of a model as programs: the forward pass, the pullback of a cotangent, and optionally a
/// criterion with its gradient.
///
/// [`LinearMap`](crate::LinearMap) builds Jacobian, Gauss-Newton and Fisher products from it.
#[derive(Debug, Clone)]
pub struct OutputTrace {
    /// Everything that was recorded.
    program: Program,
    /// The tensors that the inputs stood for when the closures were traced.
    pub bindings: Vec<DispatchTensor>,
    /// The trained parameters in visit order; `gradient` is an index into the outputs of
    /// [`pullback`](Self::pullback).
    pub parameters: Vec<TracedParam>,
    /// What is worth knowing about the fields in the outputs and the criterion.
    pub field_notes: FieldNotes,
    pub(crate) outputs: Port,
    pub(crate) cotangent: Port,
    pulled_back: Vec<Port>,
    pub(crate) criterion: Option<Criterion>,
}

/// A criterion as a function of the outputs alone.
#[derive(Debug, Clone)]
pub(crate) struct Criterion {
    /// The input that stands for the outputs.
    pub(crate) leaf: Port,
    pub(crate) loss: Port,
    pub(crate) gradient: Option<Port>,
}

impl OutputTrace {
    /// Records the outputs of `model` on a batch, and the pullback of a cotangent.
    ///
    /// Like [`GradientTrace::new`](crate::GradientTrace::new), with outputs of any shape instead of a loss.
    ///
    /// # Errors
    ///
    /// As [`GradientTrace::new`](crate::GradientTrace::new), except [`LinearizeError::NotScalar`].
    pub fn new<M: Module, B, const D: usize>(
        model: M,
        settings: DeviceSettings,
        batch: impl FnOnce(&mut Inputs<'_>) -> B,
        outputs: impl FnOnce(&M, &B) -> Tensor<D>,
    ) -> Result<Self, LinearizeError> {
        type NoCriterion<B, const D: usize> = fn(Tensor<D>, B) -> Tensor<1>;
        trace(model, settings, batch, outputs, None::<NoCriterion<B, D>>)
    }

    /// Records the outputs of `model` on a batch, the pullback of a cotangent, and a criterion of the outputs
    /// with its gradient.
    ///
    /// # Errors
    ///
    /// As [`GradientTrace::new`](crate::GradientTrace::new).
    pub fn with_criterion<M: Module, B, const D: usize>(
        model: M,
        settings: DeviceSettings,
        batch: impl FnOnce(&mut Inputs<'_>) -> B,
        outputs: impl FnOnce(&M, &B) -> Tensor<D>,
        criterion: impl FnOnce(Tensor<D>, B) -> Tensor<1>,
    ) -> Result<Self, LinearizeError> {
        trace(model, settings, batch, outputs, Some(criterion))
    }

    /// The forward pass, from the model's tensors and the batch to the outputs.
    pub fn forward(&self) -> Program {
        self.part(&[], vec![self.outputs.clone()])
    }

    /// The transposed Jacobian. Its last input is a cotangent in the shape of the outputs; its outputs are
    /// one gradient per parameter that has one.
    pub fn pullback(&self) -> Program {
        self.part(
            std::slice::from_ref(&self.cotangent),
            self.pulled_back.clone(),
        )
    }

    /// The shape of the outputs.
    pub fn output_shape(&self) -> &[usize] {
        self.outputs.shape()
    }

    /// The element type of the outputs.
    pub fn output_dtype(&self) -> DType {
        self.outputs.tensor.dtype
    }

    /// The criterion, from the outputs (its last input) to the loss and its gradient.
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

fn trace<M: Module, B, const D: usize>(
    model: M,
    settings: DeviceSettings,
    batch: impl FnOnce(&mut Inputs<'_>) -> B,
    outputs: impl FnOnce(&M, &B) -> Tensor<D>,
    criterion: Option<impl FnOnce(Tensor<D>, B) -> Tensor<1>>,
) -> Result<OutputTrace, LinearizeError> {
    let (graph, recorded) = record(settings, |device, recorder, scope| {
        let mut inputs = Inputs::new(recorder);
        let model = inputs.module(&model, device);
        let batch = batch(&mut inputs);
        let fields = Fields::open(recorder, &inputs.leaves);
        let outputs = returned::tracked(outputs(&model, &batch))?;
        let outputs_port = recorder.port("outputs", &outputs.clone().into_primitive());
        let input = |name: &str| {
            let TensorIr { shape, dtype, .. } = outputs_port.tensor.clone();
            let symbol = recorder.input(shape, dtype);
            (recorder.port(name, &symbol), symbol)
        };
        let criterion = match criterion {
            Some(criterion) => {
                let (leaf, symbol) = input("outputs");
                let criterion = |outputs| criterion(outputs, batch);
                Some(Criterion::record(leaf, symbol, criterion, recorder)?)
            }
            None => None,
        };

        let (cotangent, symbol) = input("cotangent");
        let product = AC::float_sum(AC::float_mul(outputs, AC::from_inner(symbol)));
        let gradients = AC::backward(product);
        let mut pulled_back = Vec::new();
        let parameters = inputs.parameters(&gradients, "pullback to", &mut pulled_back);
        let requests = fields.close(recorder);
        let (mut ports, bindings) = (inputs.ports, inputs.bindings);
        ports.extend(criterion.as_ref().map(|c: &Criterion| c.leaf.clone()));
        ports.push(cotangent.clone());
        let completed = completed(scope, unique(&ports));
        let recorded = Recorded {
            inputs: ports,
            bindings,
            parameters,
            outputs: outputs_port,
            cotangent,
            pulled_back,
            criterion,
            requests,
        };
        Ok((completed, recorded))
    })?;
    recorded.lowered(graph, settings)
}

/// An [`OutputTrace`] before lowering.
struct Recorded {
    inputs: Vec<Port>,
    bindings: Vec<DispatchTensor>,
    parameters: Vec<TracedParam>,
    outputs: Port,
    cotangent: Port,
    pulled_back: Vec<Port>,
    criterion: Option<Criterion>,
    requests: Vec<Derivative>,
}

impl Recorded {
    fn lowered(
        self,
        graph: CapturedGraph,
        settings: DeviceSettings,
    ) -> Result<OutputTrace, LinearizeError> {
        let mut ends = vec![self.outputs];
        if let Some(Criterion { loss, gradient, .. }) = &self.criterion {
            ends.push(loss.clone());
            ends.extend(gradient.clone());
        }
        ends.extend(self.pulled_back);
        let num_others = ends.len()
            - self
                .parameters
                .iter()
                .filter(|p| p.gradient.is_some())
                .count();
        let program = Program::unchecked(graph.graph.operations, self.inputs, ends, graph.values);
        let (mut program, are_zero, field_notes) =
            with_derivatives(program, &self.requests, settings)?;
        let mut parameters = self.parameters;
        without_zeros(&mut program, &are_zero, num_others, &mut parameters);
        let program = lower(program, settings)?;
        // Lowering renames results.
        let mut ends = program.outputs.iter().cloned();
        let mut next = || {
            ends.next().ok_or_else(|| LinearizeError::Internal {
                message: "lowering lost an output".into(),
            })
        };
        let outputs = next()?;
        let criterion = match self.criterion {
            Some(Criterion { leaf, gradient, .. }) => Some(Criterion {
                leaf,
                loss: next()?,
                gradient: gradient.map(|_| next()).transpose()?,
            }),
            None => None,
        };
        Ok(OutputTrace {
            pulled_back: ends.collect(),
            program,
            bindings: self.bindings,
            parameters,
            field_notes,
            outputs,
            cotangent: self.cotangent,
            criterion,
        })
    }
}

impl Criterion {
    fn record<const D: usize>(
        leaf: Port,
        symbol: Symbol,
        criterion: impl FnOnce(Tensor<D>) -> Tensor<1>,
        recorder: &Recorder,
    ) -> Result<Self, LinearizeError> {
        let outputs =
            <AC as FloatTensorOps<AC>>::float_set_require_grad(AC::from_inner(symbol), true);
        let loss = criterion(Tensor::from_primitive::<AC>(outputs.clone()));
        let loss = returned::loss(loss)?;
        let loss_port = recorder.port("loss", &loss.clone().into_primitive());
        let gradients = AC::backward(loss);
        let gradient = AC::grad(&outputs, &gradients);
        Ok(Self {
            leaf,
            loss: loss_port,
            gradient: gradient.map(|gradient| recorder.port("gradient of outputs", &gradient)),
        })
    }
}
