//! The recorded forward pass of a model, with the model's float tensors.

use burn::backend::{DispatchTensor, TensorMetadata};
use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor};
use burnscape_linearize::{Forward, LinearizeError};

use super::SymmetryError;
use crate::loss::{Batch, BatchMapper, traced};
use crate::space::{FloatTensor, float_tensors};

/// A forward pass and the float tensors of its model.
pub(crate) struct Traced {
    /// In the element types of the model, with the values of the inputs.
    pub(crate) forward: Forward,
    pub(crate) tensors: Vec<FloatTensor>,
    /// The input of each float tensor.
    pub(crate) places: Vec<usize>,
}

impl Traced {
    pub(crate) fn of<M, B, T, F>(outputs: &F, model: &M, batch: B) -> Result<Self, SymmetryError>
    where
        M: Module,
        B: Batch,
        T: Batch,
        F: Fn(&M, &B) -> T,
    {
        let tensors = float_tensors(model)?;
        let first = tensors.first();
        let device = first.map_or_else(Device::default, |tensor| tensor.values.device());
        let mut num_outputs = 0;
        let forward = Forward::new(
            model,
            device.settings(),
            |inputs| traced(batch, inputs),
            |model: &M, batch: &B| {
                let mut returned = Returned::default();
                let _ = outputs(model, batch).map_tensors(&mut returned);
                num_outputs = returned.0.len();
                returned.0
            },
        )?;
        if num_outputs == 0 {
            return Err(SymmetryError::NoOutputs);
        }
        let of_model = forward.bindings.iter().take(forward.num_model_inputs());
        let floats = of_model
            .enumerate()
            .filter(|(_, tensor)| tensor.dtype().is_float());
        let places: Vec<usize> = floats.map(|(place, _)| place).collect();
        let mut pairs = places.iter().zip(&tensors);
        let is_same = pairs.all(|(&place, tensor)| {
            forward.bindings[place].shape().as_slice() == tensor.shape.as_slice()
        });
        if places.len() != tensors.len() || !is_same {
            return Err(SymmetryError::Linearize(LinearizeError::Internal {
                message: format!(
                    "the program has {} float tensors of the model, which has {}",
                    places.len(),
                    tensors.len()
                ),
            }));
        }
        Ok(Self {
            forward,
            tensors,
            places,
        })
    }
}

/// The batch on a device, without autodiff.
pub(crate) fn moved<B: Batch>(batch: B, device: &Device) -> B {
    struct Moved<'d>(&'d Device);
    impl BatchMapper for Moved<'_> {
        fn map_float<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
            tensor.inner().to_device(self.0)
        }

        fn map_int<const D: usize>(&mut self, tensor: Tensor<D, Int>) -> Tensor<D, Int> {
            tensor.inner().to_device(self.0)
        }

        fn map_bool<const D: usize>(&mut self, tensor: Tensor<D, Bool>) -> Tensor<D, Bool> {
            tensor.inner().to_device(self.0)
        }
    }
    batch.map_tensors(&mut Moved(device))
}

/// The tensors that a closure returns, on the device of the recording.
#[derive(Default)]
struct Returned(Vec<DispatchTensor>);

impl BatchMapper for Returned {
    fn map_float<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
        self.0.push(tensor.clone().into_dispatch());
        tensor
    }

    fn map_int<const D: usize>(&mut self, tensor: Tensor<D, Int>) -> Tensor<D, Int> {
        self.0.push(tensor.clone().into_dispatch());
        tensor
    }

    fn map_bool<const D: usize>(&mut self, tensor: Tensor<D, Bool>) -> Tensor<D, Bool> {
        self.0.push(tensor.clone().into_dispatch());
        tensor
    }
}
