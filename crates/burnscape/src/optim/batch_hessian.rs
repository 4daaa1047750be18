use burn::module::Module;

use super::OptimError;
use crate::curvature::Hessian;
use crate::loss::{Batch, Draws, Mode, Objective};
use crate::space::is_training;

/// The Hessian of the loss on one batch, for many products in one step: in the mode that the model is in, with all
/// residuals stored, and without the checks of a data set.
pub(super) fn batch_hessian<M: Module, B: Batch>(
    model: &M,
    objective: &impl Objective<M, B>,
    batch: &B,
    draws_seed: Option<u64>,
) -> Result<Hessian<'static>, OptimError> {
    let mode = if is_training(model) {
        Mode::Train
    } else {
        Mode::Eval
    };
    let draws = draws_seed.map_or(Draws::Free, Draws::OneBatch);
    Ok(Hessian::of_batch(model, objective, batch, mode, draws)?)
}
