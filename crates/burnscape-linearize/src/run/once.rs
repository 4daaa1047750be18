use burn::backend::DispatchTensor;
use burn::tensor::{Device, Tensor};

use super::engine::{engine, flat};
use super::{ties, upstream};
use crate::LinearizeError;
use crate::program::{Program, Tie};

impl Program {
    /// Runs the program once and returns its outputs, flat.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Mismatch`] if the inputs do not match the program,
    /// [`LinearizeError::UnsupportedDevice`], [`LinearizeError::Execution`] if Burn cannot run an operation,
    /// [`LinearizeError::Upstream`] if Burn computes one incorrectly on this device, and
    /// [`LinearizeError::Tie`] if the program is a derivative and compares equal values.
    pub fn run(
        &self,
        inputs: &[DispatchTensor],
        device: &Device,
    ) -> Result<Vec<Tensor<1>>, LinearizeError> {
        if inputs.len() != self.inputs.len() {
            return Err(LinearizeError::Mismatch {
                what: "the number of inputs".into(),
                expected: self.inputs.len().to_string(),
                found: inputs.len().to_string(),
            });
        }
        let mut engine = engine(device)?;
        upstream::check(self, engine.is_accelerator())?;
        engine.constants(self);
        let mut watched = self.clone();
        watched.outputs.extend(self.ties.iter().map(Tie::port));
        let executable = engine.executable(&watched);
        let mut outputs = engine.run(&executable, inputs)?;
        let counts = outputs.split_off(self.outputs.len());
        ties::check(&self.ties, counts, &self.inputs, inputs, |nearby| {
            let mut outputs = engine.run(&executable, nearby)?;
            Ok(outputs.split_off(self.outputs.len()))
        })?;
        Ok(outputs.into_iter().map(flat).collect())
    }
}
