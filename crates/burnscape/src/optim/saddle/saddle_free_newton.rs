use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burnscape_krylov::{LanczosFactorization, Which};

use super::{SaddleFreeNewtonConfig, SaddleFreeReport};
use crate::curvature::Hessian;
use crate::loss::{Batch, Objective};
use crate::optim::batch_hessian::batch_hessian;
use crate::optim::plain::{PlainPass, plain_pass};
use crate::optim::rate::shift_weights;
use crate::optim::{OptimError, SkipReason};
use crate::space::{BufferSnapshot, ParamVector, Wide};

/// Saddle-free Newton. Built by [`SaddleFreeNewtonConfig::init`]; the config documents the method.
///
/// It has no state to save.
///
/// # Cost
///
/// A step: a gradient, a trace of the loss with a gradient, `steps` Hessian-vector products (with `escape`
/// twice as many, and one), and as many vectors in memory as products of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct SaddleFreeNewton {
    config: SaddleFreeNewtonConfig,
}

impl SaddleFreeNewton {
    pub(super) fn from_config(config: SaddleFreeNewtonConfig) -> Self {
        Self { config }
    }

    /// The configuration.
    pub fn config(&self) -> &SaddleFreeNewtonConfig {
        &self.config
    }

    /// One step on a batch: `w ← w − lr (|H| + damping I)⁻¹ g`, each parameter at its own rate. The loss
    /// is traced in the mode that the model is in. On an error the model is as before, running
    /// statistics included; a NaN or infinite loss or gradient skips the step, and the report states it.
    ///
    /// # Errors
    ///
    /// [`OptimError::TiedParameter`], [`OptimError::LearningRate`], [`OptimError::Curvature`] for a loss
    /// that cannot be traced or multiplied, [`OptimError::Loss`], [`OptimError::Space`].
    pub fn step_on<M: Module, B: Batch>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        batch: B,
        objective: &impl Objective<M, B>,
    ) -> Result<SaddleFreeReport, OptimError> {
        let lr = lr.into();
        let before = BufferSnapshot::of(model);
        let mut closure = |model: &M| objective.loss(model, batch.clone());
        let PlainPass { report, .. } = plain_pass(&lr, model, &mut closure)?;
        let mut step = SaddleFreeReport {
            loss: report.loss,
            gradient_norm: report.gradient_norm,
            num_gradients: report.num_gradients,
            skipped: report.skipped,
            ..SaddleFreeReport::default()
        };
        if step.skipped.is_some() {
            return Ok(step);
        }
        step.num_gradients += 1;
        let moved = self.moved(&lr, model, &batch, objective, &mut step);
        if !matches!(moved, Ok(Some(_))) {
            drop(before.restore(model.clone()));
        }
        if let Some(moved) = moved? {
            *model = moved;
        }
        Ok(step)
    }

    /// The model after the step; `None` if the step is not finite.
    fn moved<M: Module, B: Batch>(
        &self,
        lr: &ModuleLearningRate,
        model: &M,
        batch: &B,
        objective: &impl Objective<M, B>,
        step: &mut SaddleFreeReport,
    ) -> Result<Option<M>, OptimError> {
        let descent = self.descent(&batch_hessian(model, objective, batch, None)?, step)?;
        step.step_norm = descent.norm()?;
        if step.step_norm.is_finite() {
            Ok(Some(shift_weights(model, descent.to_leaves(), lr)?))
        } else {
            step.skipped = Some(SkipReason::NonFiniteStep);
            Ok(None)
        }
    }

    /// `(|H| + damping I)⁻¹ g` in the Krylov space of `g`, plus the escape.
    ///
    /// The gradient is taken with the Hessian, so that both belong to one function even with dropout.
    fn descent(
        &self,
        hessian: &Hessian<'_>,
        step: &mut SaddleFreeReport,
    ) -> Result<ParamVector, OptimError> {
        let gradient = hessian.gradient()?;
        let damping = self.config.damping;
        let (steps, seed) = (self.config.steps, self.config.seed);
        let mut found = ParamVector::zeros(hessian.space())?;
        let size = gradient.wide_norm()?;
        if size.is_positive() {
            // The Krylov space of a gradient is that of its direction. A power of two changes no digit of it,
            // and leaves neither squares nor inverses of its norm out of range.
            let unit = Wide::new(1.0, size.exponent());
            let start = gradient.clone().scale_wide(Wide::from(1.0) / unit);
            let record = LanczosFactorization::from_vector(hessian, start, steps, seed)?;
            step.num_matvecs += record.num_matvecs();
            step.lowest_ritz = record.ritz_values().first().copied();
            step.ritz_residual = record.residual_estimates().first().copied();
            let inverse = |curvature: f64| 1.0 / (curvature.abs() + damping);
            if let Some(descent) = record.apply(inverse)? {
                let length = descent.wide_norm()? * unit;
                found = match self.config.max_step.map(Wide::from) {
                    Some(longest) if length.is_greater(longest) => {
                        descent.scale_wide(unit * longest / length)
                    }
                    _ => descent.scale_wide(unit),
                };
            }
        }
        if self.config.escape > 0.0 {
            let record = LanczosFactorization::from_random(hessian, steps, seed)?;
            let pairs = record.eigenpairs(hessian, Which::Smallest, 1)?;
            step.num_matvecs += record.num_matvecs() + 1;
            let lowest = (
                pairs.values.first(),
                pairs.residuals.first(),
                pairs.vectors.first(),
            );
            if let (Some(&value), Some(&residual), Some(vector)) = lowest {
                if step.lowest_ritz.is_none_or(|known| value < known) {
                    step.lowest_ritz = Some(value);
                    step.ritz_residual = Some(residual);
                }
                let along = vector.dot(&found)?;
                if value < 0.0 && along.abs() < self.config.escape {
                    // Where the slope is zero, the sign depends on the seed.
                    let wanted = self.config.escape.copysign(vector.dot(&gradient)?);
                    found = found.axpy(wanted - along, vector)?;
                    step.escaped = true;
                }
            }
        }
        Ok(found)
    }
}
