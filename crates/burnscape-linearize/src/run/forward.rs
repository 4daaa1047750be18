use std::fmt;

use burn::backend::DispatchTensor;
use burn::tensor::Device;

use super::engine::{Engine, engine};
use super::executable::Executable;
use crate::LinearizeError;
use crate::trace::Forward;

/// A forward pass that is ready to run on a device.
pub struct PreparedForward {
    engine: Box<dyn Engine>,
    executable: Executable,
}

impl fmt::Debug for PreparedForward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedForward").finish_non_exhaustive()
    }
}

impl Forward {
    /// Prepares the forward pass to run on `device`.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::UnsupportedDevice`].
    pub fn prepare(&self, device: &Device) -> Result<PreparedForward, LinearizeError> {
        let mut engine = engine(device)?;
        engine.constants(&self.program);
        let executable = engine.executable(&self.program);
        Ok(PreparedForward { engine, executable })
    }
}

impl PreparedForward {
    /// The outputs at the given values of all inputs, which must be on the device.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Mismatch`] if a value does not fit its input, and
    /// [`LinearizeError::Execution`] if Burn panics.
    pub fn run(
        &mut self,
        inputs: &[DispatchTensor],
    ) -> Result<Vec<DispatchTensor>, LinearizeError> {
        let expected = self.executable.inputs.len();
        if inputs.len() != expected {
            return Err(LinearizeError::Mismatch {
                what: "the values of the inputs".into(),
                expected: expected.to_string(),
                found: inputs.len().to_string(),
            });
        }
        self.engine.run(&self.executable, inputs)
    }
}
