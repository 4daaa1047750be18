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

/// Saddle-free Newton. Built by [`SaddleFreeNewtonConfig::init`], which says what it computes.
///
/// It keeps nothing from step to step, so that there is no state to save.
///
/// # Cost
///
/// A step: a gradient, a trace of the loss with a gradient, `steps` Hessian-vector products (with `escape`
/// twice as many, and one), and as many vectors in memory as products of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct SaddleFreeNewton {
    config: SaddleFreeNewtonConfig,
}

/// A step, and what was seen on the way.
struct Found {
    /// What the rate is taken of and the weights lose.
    descent: ParamVector,
    lowest: Option<(f64, f64)>,
    escaped: bool,
    products: usize,
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
    /// statistics included; a NaN or infinite loss or gradient skips the step, and the report says so.
    ///
    /// # Errors
    ///
    /// [`OptimError::TiedParameter`], [`OptimError::LearningRate`], [`OptimError::Curvature`] for a loss
    /// that cannot be traced or multiplied, and what the loss or the gradients are refused for.
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
            lowest_ritz: None,
            ritz_residual: None,
            escaped: false,
            step_norm: 0.0,
            products: 0,
            gradients: report.gradients,
            skipped: report.skipped,
        };
        if step.skipped.is_some() {
            return Ok(step);
        }
        let found = self.found(model, &batch, objective);
        let moved = found.and_then(|found| {
            let length = found.descent.norm()?;
            let moved = match length.is_finite() {
                true => Some(shift_weights(model, found.descent.to_leaves(), &lr)?),
                false => None,
            };
            Ok((moved, found, length))
        });
        let (moved, found, length) = match moved {
            Ok(moved) => moved,
            Err(error) => {
                *model = before.restore(model.clone());
                return Err(error);
            }
        };
        match moved {
            Some(moved) => *model = moved,
            None => {
                *model = before.restore(model.clone());
                step.skipped = Some(SkipReason::NonFiniteStep);
            }
        }
        step.gradients += 1;
        step.products = found.products;
        step.lowest_ritz = found.lowest.map(|(value, _)| value);
        step.ritz_residual = found.lowest.map(|(_, residual)| residual);
        step.escaped = found.escaped;
        step.step_norm = length;
        Ok(step)
    }

    fn found<M: Module, B: Batch>(
        &self,
        model: &M,
        batch: &B,
        objective: &impl Objective<M, B>,
    ) -> Result<Found, OptimError> {
        self.descent(&batch_hessian(model, objective, batch, None)?)
    }

    /// `(|H| + damping I)⁻¹ g` in the Krylov space of `g`, and what an escape adds.
    ///
    /// The gradient is the one that comes with the Hessian, so that both are of one function where dropout
    /// draws.
    fn descent(&self, hessian: &Hessian<'_>) -> Result<Found, OptimError> {
        let gradient = hessian.gradient()?;
        let damping = self.config.damping;
        let (steps, seed) = (self.config.steps, self.config.seed);
        let mut found = Found {
            descent: ParamVector::zeros(hessian.space())?,
            lowest: None,
            escaped: false,
            products: 0,
        };
        let size = gradient.wide_norm()?;
        if size.is_positive() {
            // The Krylov space of a gradient is that of its direction. A power of two changes no digit of it,
            // and leaves neither squares nor inverses of its norm out of range.
            let unit = Wide::new(1.0, size.exponent());
            let start = gradient.clone().scale_wide(Wide::from(1.0) / unit);
            let record = LanczosFactorization::from_vector(hessian, start, steps, seed)?;
            found.products += record.num_matvecs();
            found.lowest = lowest(&record);
            let inverse = |curvature: f64| 1.0 / (curvature.abs() + damping);
            if let Some(descent) = record.apply(inverse)? {
                let length = descent.wide_norm()? * unit;
                found.descent = match self.config.max_step.map(Wide::from) {
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
            found.products += record.num_matvecs() + 1;
            let lowest = (
                pairs.values.first(),
                pairs.residuals.first(),
                pairs.vectors.first(),
            );
            if let (Some(&value), Some(&residual), Some(vector)) = lowest {
                if found.lowest.is_none_or(|(known, _)| value < known) {
                    found.lowest = Some((value, residual));
                }
                if value < 0.0 {
                    self.escape(&mut found, &gradient, vector)?;
                }
            }
        }
        Ok(found)
    }

    /// Lengthens the step along a direction of negative curvature.
    fn escape(
        &self,
        found: &mut Found,
        gradient: &ParamVector,
        direction: &ParamVector,
    ) -> Result<(), OptimError> {
        let along = direction.dot(&found.descent)?;
        if along.abs() >= self.config.escape {
            return Ok(());
        }
        // Where the slope is zero either side will do: the sign of the vector is that of its seed.
        let wanted = self.config.escape.copysign(direction.dot(gradient)?);
        found.descent = found.descent.clone().axpy(wanted - along, direction)?;
        found.escaped = true;
        Ok(())
    }
}

/// The lowest Ritz value with its residual.
fn lowest(record: &LanczosFactorization<ParamVector>) -> Option<(f64, f64)> {
    let values = record.ritz_values().into_iter();
    values.zip(record.residual_estimates()).next()
}
