use burn::module::Module;

use super::OptimError;
use crate::curvature::{CurvatureConfig, Hessian};
use crate::loss::{Batch, Mode, Objective};
use crate::space::is_training;

/// The Hessian of the loss on one batch, for many products in one step: in the mode that the model is
/// in, with everything kept that a product reads, and without the checks that a data set deserves.
pub(super) fn batch_hessian<'a, M, B, O>(
    model: &M,
    objective: &O,
    batch: &'a B,
    draws_seed: Option<u64>,
) -> Result<Hessian<'a>, OptimError>
where
    M: Module,
    B: Batch,
    O: Objective<M, B>,
{
    let mode = match is_training(model) {
        true => Mode::Train,
        false => Mode::Eval,
    };
    let mut config = CurvatureConfig::new()
        .with_mode(mode)
        .with_checks(false)
        .with_residual_budget(usize::MAX);
    config = match draws_seed {
        Some(seed) => config.with_draws_of_one_batch(seed),
        None => config.with_free_draws(),
    };
    Ok(config.hessian(model, objective, std::slice::from_ref(batch))?)
}
