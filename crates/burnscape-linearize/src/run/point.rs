use burn::backend::DispatchTensor;
use burn::tensor::Tensor;
use burn_ir::TensorId;

use super::executable::Executable;
use crate::LinearizeError;
use crate::program::Port;

/// Whether a [`Point`] stores its residuals: everything that does not depend on a tangent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checkpointing {
    /// Compute residuals once and store them, for the fastest products: of attention six square tensors a head.
    #[default]
    Store,
    /// Recompute residuals in every product, to save memory. A block of tangents shares them. The
    /// backward pass reads two square tensors a head of attention that the forward pass has made, one of them a tangent. Random
    /// draws are stored in either case.
    Recompute,
}

/// A point and a batch at which tangents are multiplied.
#[derive(Debug, Clone)]
pub struct Point {
    pub(super) values: Vec<Tensor<1>>,
    /// The inputs for recomputing residuals.
    pub(super) inputs: Vec<DispatchTensor>,
    pub(super) draws: Vec<Draw>,
    pub(super) residuals: Option<Vec<DispatchTensor>>,
}

/// A random draw, with its name in the trace.
#[derive(Debug, Clone)]
pub(super) struct Draw {
    pub(super) id: TensorId,
    pub(super) value: DispatchTensor,
}

impl Point {
    /// The values of the map at this point, flat; see its constructor for what they are.
    pub fn values(&self) -> &[Tensor<1>] {
        &self.values
    }

    /// Takes the values, so that they can be overwritten.
    #[doc(hidden)]
    pub fn take_values(&mut self) -> Vec<Tensor<1>> {
        std::mem::take(&mut self.values)
    }

    /// Whether the residuals are stored.
    pub fn is_stored(&self) -> bool {
        self.residuals.is_some()
    }

    /// The point without its values and without the inputs for recomputing residuals: the state to keep
    /// of a batch that is read again for every product.
    #[must_use]
    pub fn stripped(self) -> Self {
        Self {
            values: Vec::new(),
            inputs: Vec::new(),
            ..self
        }
    }

    /// The point with its inputs restored. They must be those of the same batch.
    #[must_use]
    pub fn with_inputs(&self, inputs: Vec<DispatchTensor>) -> Self {
        Self {
            inputs,
            ..self.clone()
        }
    }

    /// The inputs of the program for products, except the tangent.
    pub(super) fn held(&self) -> Vec<DispatchTensor> {
        match &self.residuals {
            Some(stored) => stored.clone(),
            None => {
                let draws = self.draws.iter().map(|draw| &draw.value);
                self.inputs.iter().chain(draws).cloned().collect()
            }
        }
    }
}

/// The inputs of a program for products: `held`, followed by the parts of the tangent, which are checked.
pub(super) fn with_tangent(
    executable: &Executable,
    mut held: Vec<DispatchTensor>,
    tangent: &[Tensor<1>],
) -> Result<Vec<DispatchTensor>, LinearizeError> {
    let ports = executable.inputs.get(held.len()..).unwrap_or_default();
    let lengths: Vec<usize> = ports.iter().map(Port::num_elements).collect();
    let found: Vec<usize> = tangent
        .iter()
        .map(|part| part.shape().num_elements())
        .collect();
    if lengths != found {
        return Err(LinearizeError::Mismatch {
            what: "the tangent".into(),
            expected: format!("parts of {lengths:?} elements"),
            found: format!("parts of {found:?} elements"),
        });
    }
    held.extend(tangent.iter().map(|part| part.clone().into_dispatch()));
    Ok(held)
}
