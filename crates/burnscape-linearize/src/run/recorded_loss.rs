use burn::backend::DispatchTensor;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::engine::{Engine, engine, flat};
use super::executable::Executable;
use super::{ties, upstream};
use crate::LinearizeError;
use crate::program::{Port, Program, Tie, is_draw};
use crate::trace::{GradientTrace, ModelInputs, OutputTrace, TracedParam};

/// A traced loss on a device, as a loss of Burn's autodiff again: a program computes its value and its gradient
/// together, and its backward pass only hands the gradient over.
///
/// Random numbers are drawn in every run, from the generator of the device.
pub struct RecordedLoss {
    engine: Box<dyn Engine>,
    /// The loss, and the counts of ties.
    value: Executable,
    /// The loss, its gradients, and the counts of ties.
    gradient: Executable,
    inputs: Vec<Port>,
    parameters: Vec<TracedParam>,
    ties: Vec<Tie>,
    has_draws: bool,
}

impl std::fmt::Debug for RecordedLoss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordedLoss")
            .field("parameters", &self.parameters.len())
            .finish_non_exhaustive()
    }
}

impl RecordedLoss {
    /// Prepares a traced loss for `device`.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::UnsupportedDevice`], and [`LinearizeError::Upstream`] if the program contains a gradient
    /// that Burn computes incorrectly on this device.
    pub fn new(trace: &GradientTrace, device: &Device) -> Result<Self, LinearizeError> {
        let mut engine = engine(device)?;
        let program = &trace.program;
        upstream::check(program, engine.is_accelerator())?;
        engine.constants(program);
        let with_ties = |num_outputs: usize| {
            let mut part = Program::clone(program);
            part.outputs.truncate(num_outputs);
            part.outputs.extend(program.ties.iter().map(Tie::port));
            part.remove_dead();
            part
        };
        Ok(Self {
            value: engine.executable(&with_ties(1)),
            gradient: engine.executable(&with_ties(program.outputs.len())),
            engine,
            inputs: program.inputs.clone(),
            parameters: trace.parameters.clone(),
            ties: program.ties.clone(),
            has_draws: program.operations.iter().any(is_draw),
        })
    }

    /// Prepares traced outputs for `device`, which have a [`value`](Self::value) of any length and no gradient.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new).
    pub fn of_outputs(trace: &OutputTrace, device: &Device) -> Result<Self, LinearizeError> {
        Self::new(
            &GradientTrace {
                program: trace.forward(),
                bindings: Vec::new(),
                parameters: Vec::new(),
                field_notes: trace.field_notes.clone(),
            },
            device,
        )
    }

    /// Whether the loss draws random numbers.
    pub fn has_draws(&self) -> bool {
        self.has_draws
    }

    /// The loss, off autodiff, of a model and a batch with the shapes of the trace.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Mismatch`], [`LinearizeError::Execution`], [`LinearizeError::Tie`].
    pub fn value(
        &mut self,
        model: &ModelInputs,
        batch: &[DispatchTensor],
    ) -> Result<Tensor<1>, LinearizeError> {
        let mut outputs = self.run(model, batch, false)?;
        Ok(flat(outputs.swap_remove(0)))
    }

    /// The loss on autodiff, as a function of the trained parameters of `model`, from which `inputs` were read.
    ///
    /// # Errors
    ///
    /// Those of [`value`](Self::value).
    pub fn tracked<M: Module>(
        &mut self,
        model: &M,
        inputs: &ModelInputs,
        batch: &[DispatchTensor],
    ) -> Result<Tensor<1>, LinearizeError> {
        let outputs = self.run(inputs, batch, true)?;
        let mut own = inputs.parameters(model);
        let anchors = self.parameters.iter().filter_map(|parameter| {
            let gradient = outputs[parameter.gradient?].clone();
            let tensor = own.get_mut(parameter.input).and_then(Option::take);
            Some(match tensor {
                Some(tensor) => Ok((tensor, gradient)),
                None => Err(LinearizeError::Mismatch {
                    what: self.inputs[parameter.input].name.clone(),
                    expected: "a parameter of the model".into(),
                    found: "none".into(),
                }),
            })
        });
        let anchors = anchors.collect::<Result<_, _>>()?;
        let loss = flat(outputs[0].clone()).into_dispatch();
        let tracked = self.engine.tracked(loss, anchors)?;
        Ok(Tensor::from_dispatch(tracked))
    }

    fn run(
        &mut self,
        model: &ModelInputs,
        batch: &[DispatchTensor],
        gradient: bool,
    ) -> Result<Vec<DispatchTensor>, LinearizeError> {
        let inputs: Vec<_> = model.bindings.iter().chain(batch).cloned().collect();
        if inputs.len() != self.inputs.len() {
            return Err(LinearizeError::Mismatch {
                what: "the number of inputs".into(),
                expected: self.inputs.len().to_string(),
                found: inputs.len().to_string(),
            });
        }
        let executable = if gradient {
            &self.gradient
        } else {
            &self.value
        };
        let num_values = executable.outputs.len() - self.ties.len();
        let engine = &mut self.engine;
        let mut values = engine.run(executable, &inputs)?;
        let counts = values.split_off(num_values);
        ties::check(&self.ties, counts, &self.inputs, &inputs, |nearby| {
            Ok(engine.run(executable, nearby)?.split_off(num_values))
        })?;
        Ok(values)
    }
}
