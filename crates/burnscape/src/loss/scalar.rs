use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::LossError;

/// Calls a closure of the user and converts a panic to an error with its message. Errors of our own objectives stay what they are.
pub(crate) fn called<T>(closure: impl FnOnce() -> T) -> Result<T, LossError> {
    burnscape_linearize::caught(
        closure,
        |message| LossError::Panicked { message },
        LossError::Trace,
    )
}

/// Returns an error unless the loss has one element.
pub(crate) fn check_scalar(loss: &Tensor<1>) -> Result<(), LossError> {
    match loss.shape().num_elements() {
        1 => Ok(()),
        _ => Err(LossError::NotScalar {
            shape: loss.shape().as_slice().to_vec(),
        }),
    }
}

/// The gradient of a loss with respect to the parameters of `model`. Conditions on which Burn panics are checked
/// first.
pub(crate) fn gradients<M: Module>(
    loss: &Tensor<1>,
    model: &M,
) -> Result<GradientsParams, LossError> {
    check_scalar(loss)?;
    if !loss.is_tracked() {
        return Err(LossError::Untracked);
    }
    called(|| GradientsParams::from_grads(loss.backward(), model))
}
