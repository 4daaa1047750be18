use burn::backend::{BackendTensor, DispatchKindConversion, DispatchTensor};
use burn::module::Module;
use burn::tensor::{Device, DeviceSettings};
use burn_ir::OperationIr;

use super::inputs::Inputs;
use crate::LinearizeError;
use crate::axes::{Axes, AxisScalings, Mode, axes, scalings};
use crate::coverage::describe;
use crate::error::Place;
use crate::lower::lower;
use crate::program::{Port, Program, unique};
use crate::record::{C, Recorder, Symbol, completed, record};

/// The forward pass of a model on a batch, in evaluation mode, as a program.
///
/// The inputs are all tensors of the model in visit order, trained or not, followed by those of the batch. Tied
/// parameters are one input. Fields of type `Tensor`, which are not parameters, are constants.
#[derive(Debug, Clone)]
pub struct Forward {
    pub(crate) program: Program,
    /// The tensors that the inputs stood for when the closure was traced.
    pub bindings: Vec<DispatchTensor>,
    num_model_inputs: usize,
    settings: DeviceSettings,
}

impl Forward {
    /// Records the outputs of `model` on a batch. Only a copy of the model is used, in evaluation mode and off
    /// autodiff. `batch` declares the tensors of the batch as inputs. The outputs may be of any kind and number; they
    /// must not be on autodiff.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Panicked`] if the closure panics; [`ReadValue`](LinearizeError::ReadValue),
    /// [`MovedTensor`](LinearizeError::MovedTensor), [`ForeignTensor`](LinearizeError::ForeignTensor) and
    /// [`SeededDevice`](LinearizeError::SeededDevice) if it does something that cannot be recorded.
    pub fn new<M: Module, B>(
        model: &M,
        settings: DeviceSettings,
        batch: impl FnOnce(&mut Inputs<'_>) -> B,
        outputs: impl FnOnce(&M, &B) -> Vec<DispatchTensor>,
    ) -> Result<Self, LinearizeError> {
        let (graph, (inputs, bindings, outputs, num_model_inputs)) =
            record(settings, |device: &Device, recorder, scope| {
                let mut inputs = Inputs::new(recorder);
                let model = inputs.evaluated(model, device);
                let num_model_inputs = inputs.ports.len();
                let batch = batch(&mut inputs);
                let outputs = ports(recorder, outputs(&model, &batch))?;
                let (ports, bindings) = (inputs.ports, inputs.bindings);
                let completed = completed(scope, unique(&ports));
                Ok((completed, (ports, bindings, outputs, num_model_inputs)))
            })?;
        Ok(Self {
            program: Program::new(graph.graph.operations, inputs, outputs, graph.values)?,
            bindings,
            num_model_inputs,
            settings,
        })
    }

    /// The inputs, in the order in which values are bound.
    pub fn inputs(&self) -> &[Port] {
        self.program.inputs()
    }

    /// The number of inputs that are tensors of the model. They come first.
    pub fn num_model_inputs(&self) -> usize {
        self.num_model_inputs
    }

    /// The same forward pass with every float in f64. Casts between floats have no effect in it.
    #[must_use]
    pub fn in_f64(&self) -> Self {
        Self {
            program: self.program.in_f64(),
            ..self.clone()
        }
    }

    /// The axes of all tensors: which are one, and how those of the model may be permuted.
    pub fn axes(&self) -> Axes {
        axes(&self.program, self.num_model_inputs)
    }

    /// The continuous symmetries or signs along the groups. Inputs of the model that are not `movable` do not change.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Internal`] if the program cannot be rewritten in elementary operations.
    pub fn scalings(&self, movable: &[bool], mode: Mode) -> Result<AxisScalings, LinearizeError> {
        let lowered = lower(self.program.clone(), self.settings)?;
        Ok(scalings(&lowered, self.num_model_inputs, movable, mode))
    }

    /// The result of every operation, in order, named by its operation.
    pub fn results(&self) -> Vec<Port> {
        let operations = self.program.operations.iter();
        let results = operations.flat_map(|operation: &OperationIr| {
            let name = describe(operation).0;
            operation.outputs().map(move |tensor| Port {
                name: name.clone(),
                tensor: tensor.clone(),
            })
        });
        results.collect()
    }

    /// The same forward pass with other outputs: some of its [results](Self::results) or inputs.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Internal`] for a tensor of another program.
    pub fn with_outputs(&self, outputs: Vec<Port>) -> Result<Self, LinearizeError> {
        let mut program = self.program.clone();
        program.outputs = outputs;
        program.validate()?;
        program.remove_dead();
        Ok(Self {
            program,
            ..self.clone()
        })
    }
}

/// The outputs of the program, which must be on the recording device.
fn ports(recorder: &Recorder, outputs: Vec<DispatchTensor>) -> Result<Vec<Port>, LinearizeError> {
    let symbol = |tensor: DispatchTensor| -> Option<Symbol> {
        match <DispatchTensor as DispatchKindConversion<C>>::try_into_backend(tensor).ok()? {
            BackendTensor::Float(symbol)
            | BackendTensor::Int(symbol)
            | BackendTensor::Bool(symbol) => Some(symbol),
            _ => None,
        }
    };
    let outputs = outputs.into_iter().enumerate().map(|(index, tensor)| {
        let symbol = symbol(tensor).ok_or_else(|| LinearizeError::ForeignTensor {
            place: Place::default(),
        })?;
        Ok(recorder.port(&format!("outputs.{index}"), &symbol))
    });
    outputs.collect()
}
