use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::loss::LossError;
use crate::optim::{Evaluation, IntoEvaluation};

/// A loss with gradients, or an error: an optimizer's closure returns its failure as an evaluation.
pub(super) struct Evaluated(pub(super) Result<(Tensor<1>, GradientsParams), LossError>);

impl IntoEvaluation for Evaluated {
    fn into_evaluation<M: Module>(self, model: &M) -> Result<Evaluation, LossError> {
        self.0?.into_evaluation(model)
    }
}
