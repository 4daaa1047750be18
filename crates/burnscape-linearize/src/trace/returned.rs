//! Checks of the tensors that a closure returns.

use burn::tensor::Tensor;

use super::inputs::Leaf;
use crate::LinearizeError;
use crate::error::Place;
use crate::record::AC;

/// A loss: one element, tracked by autodiff, on the recording device.
pub(super) fn loss(loss: Tensor<1>) -> Result<Leaf, LinearizeError> {
    if loss.shape().num_elements() != 1 {
        return Err(LinearizeError::NotScalar {
            shape: loss.shape().as_slice().to_vec(),
        });
    }
    tracked(loss)
}

/// A tensor that is tracked by autodiff, on the recording device.
pub(super) fn tracked<const D: usize>(tensor: Tensor<D>) -> Result<Leaf, LinearizeError> {
    if !tensor.is_tracked() {
        return Err(LinearizeError::Untracked);
    }
    // Without a place: the tensor itself is at fault, not a call.
    tensor
        .try_into_primitive::<AC>()
        .map_err(|_| LinearizeError::ForeignTensor {
            place: Place::default(),
        })
}
