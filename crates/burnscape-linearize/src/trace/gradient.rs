use burn::backend::{AutodiffBackend, DispatchTensor};
use burn::module::Module;
use burn::tensor::{DeviceSettings, Tensor};

use super::fields::{Fields, without_zeros};
use super::inputs::Inputs;
use super::parameter::TracedParam;
use super::returned;
use crate::LinearizeError;
use crate::derive::{FieldNotes, with_derivatives};
use crate::lower::lower;
use crate::program::{Program, unique};
use crate::record::{AC, completed, record};

/// A loss and its gradient as a program, recorded from a closure.
///
/// The inputs are the model's tensors in visit order, followed by those of the batch. The outputs are the
/// loss and one gradient per parameter that has one.
#[derive(Debug, Clone)]
pub struct GradientTrace {
    /// The program.
    pub program: Program,
    /// The tensors that the inputs stood for when the closure was traced.
    pub bindings: Vec<DispatchTensor>,
    /// The trained parameters in visit order.
    pub parameters: Vec<TracedParam>,
    /// What is worth knowing about the fields in the loss.
    pub field_notes: FieldNotes,
}

impl GradientTrace {
    /// Records the loss of `model` on a batch, and its backward pass.
    ///
    /// `model` must be on autodiff, and its trainable parameters must require gradients. Only a copy of it is
    /// used, so its running statistics do not change. Fields of type `Tensor`, which are not parameters, are
    /// copied to the host and become constants of the program. `batch` declares the tensors of the batch as
    /// inputs.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Panicked`] if the closure panics; [`ReadValue`](LinearizeError::ReadValue),
    /// [`MovedTensor`](LinearizeError::MovedTensor), [`ForeignTensor`](LinearizeError::ForeignTensor),
    /// [`SeededDevice`](LinearizeError::SeededDevice) and [`NestedBackward`](LinearizeError::NestedBackward)
    /// if it does something that cannot be recorded; [`NotScalar`](LinearizeError::NotScalar) and
    /// [`Untracked`](LinearizeError::Untracked) for an unusable loss.
    pub fn new<M: Module, B>(
        model: M,
        settings: DeviceSettings,
        batch: impl FnOnce(&mut Inputs<'_>) -> B,
        loss: impl FnOnce(&M, B) -> Tensor<1>,
    ) -> Result<Self, LinearizeError> {
        let (graph, (inputs, outputs, bindings, mut parameters, requests)) =
            record(settings, |device, recorder, scope| {
                let mut inputs = Inputs::new(recorder);
                let model = inputs.module(&model, device);
                let batch = batch(&mut inputs);
                let fields = Fields::open(recorder, &inputs.leaves);
                let loss = returned::loss(loss(&model, batch))?;
                let mut outputs = vec![recorder.port("loss", &loss.clone().into_primitive())];
                let gradients = AC::backward(loss);
                let parameters = inputs.parameters(&gradients, "gradient of", &mut outputs);
                let requests = fields.close(recorder);
                let (ports, bindings) = (inputs.ports, inputs.bindings);
                let completed = completed(scope, unique(&ports));
                Ok((completed, (ports, outputs, bindings, parameters, requests)))
            })?;
        let program = Program::unchecked(graph.graph.operations, inputs, outputs, graph.values);
        let (mut program, are_zero, field_notes) = with_derivatives(program, &requests, settings)?;
        without_zeros(&mut program, &are_zero, 1, &mut parameters);
        Ok(Self {
            program: lower(program, settings)?,
            bindings,
            parameters,
            field_notes,
        })
    }
}
