use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;

use super::OptimError;
use crate::space::{LeafVector, ParamSpace};

/// The base rate, after a check of the rate of every parameter.
///
/// A rate that is NaN would silently make a parameter NaN; Burn's optimizers do not check.
pub(super) fn base_rate(lr: &ModuleLearningRate, space: &ParamSpace) -> Result<f64, OptimError> {
    // Burn panics where no group holds a rate, and has no way to ask.
    let base = catch_unwind(AssertUnwindSafe(|| lr.base()));
    let base = base.map_err(|_| OptimError::NoLearningRate)?;
    for leaf in space.leaves() {
        let rate = lr.lr_from_param(leaf.id(), Some(leaf.path()));
        if !rate.is_finite() || rate < 0.0 {
            return Err(OptimError::LearningRate {
                path: leaf.path().to_string(),
                lr: rate,
            });
        }
    }
    Ok(base)
}

/// `w − lr · shift`, with each parameter's own rate.
pub(super) fn shift_weights<M: Module>(
    model: &M,
    shift: LeafVector,
    lr: &ModuleLearningRate,
) -> Result<M, OptimError> {
    let shift =
        shift.map(|leaf, value| Some(value * lr.lr_from_param(leaf.id(), Some(leaf.path()))));
    Ok(shift.perturb(model, -1.0)?)
}
