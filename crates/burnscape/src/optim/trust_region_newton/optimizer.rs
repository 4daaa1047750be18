use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::Tensor;
use burnscape_krylov::{SolutionKind, TrustRegionConfig};

use super::{TrustRegionNewtonConfig, TrustRegionReport};
use crate::curvature::Hessian;
use crate::loss::draws::OwnDraws;
use crate::loss::scalar::{called, check_scalar};
use crate::loss::{Batch, LossError, Objective};
use crate::optim::batch_hessian::batch_hessian;
use crate::optim::plain::{PlainPass, plain_pass};
use crate::optim::{Need, OptimError};
use crate::space::{BufferSnapshot, ParamSpace, ParamVector, epsilon, mix, to_host};

/// Below this ratio of actual to predicted decrease the radius shrinks.
const POOR: f64 = 0.25;
/// Above this ratio the radius of a step that reaches the sphere grows.
const GOOD: f64 = 0.75;
/// The next radius after a poor step, in lengths of the step.
const SHRINK: f64 = 0.25;
/// The next radius after a good step, in radii.
const GROW: f64 = 2.0;
/// How many roundings of a loss count as no change.
const ROUNDINGS: f64 = 8.0;

/// Newton's method in a trust region. Built by [`TrustRegionNewtonConfig::init`]; the config documents the method.
///
/// Its state is the radius and the number of steps. To resume a run, build it with [`radius`](Self::radius) as the
/// radius of its config; with a seed for draws, the new run has other draws than the old one would have had.
///
/// # Cost
///
/// A step: a gradient, a trace of the loss with a gradient, a loss, and the Hessian-vector products that are reported:
/// at most `max_basis` for the step, as many for the certificate, one for the residual, and those of an eigenvector
/// where the gradient does not see it. As many vectors in memory as products of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct TrustRegionNewton {
    config: TrustRegionNewtonConfig,
    /// The radius of the next step.
    delta: f64,
    step: usize,
}

impl TrustRegionNewton {
    pub(super) fn from_config(config: TrustRegionNewtonConfig) -> Self {
        Self {
            delta: config.radius,
            config,
            step: 0,
        }
    }

    /// The configuration.
    pub fn config(&self) -> &TrustRegionNewtonConfig {
        &self.config
    }

    /// The radius of the next step.
    pub fn radius(&self) -> f64 {
        self.delta
    }

    /// One step on a batch. The loss is traced in the mode that the model is in.
    ///
    /// If the step is not accepted, and on an error, the model is as before, running statistics included. A NaN or
    /// infinite loss or gradient at the weights skips the step, and the report states it.
    ///
    /// # Errors
    ///
    /// [`OptimError::TiedParameter`]; [`OptimError::Loss`], with [`LossError::Draws`] for a loss that draws random
    /// numbers without a [`draws_seed`](TrustRegionNewtonConfig::draws_seed); [`OptimError::Curvature`] for a loss that
    /// cannot be traced or multiplied; [`OptimError::Space`].
    pub fn step_on<M: Module, B: Batch>(
        &mut self,
        model: &mut M,
        batch: B,
        objective: &impl Objective<M, B>,
    ) -> Result<TrustRegionReport, OptimError> {
        let before = BufferSnapshot::of(model);
        let moved = self.moved(model, &batch, objective);
        if !matches!(moved, Ok((_, Some(_)))) {
            drop(before.restore(model.clone()));
        }
        let (report, moved) = moved?;
        if let Some(moved) = moved {
            *model = moved;
        }
        self.delta = report.next_radius;
        self.step += 1;
        Ok(report)
    }

    /// The model after the step; `None` if it is not taken.
    fn moved<M: Module, B: Batch>(
        &self,
        model: &M,
        batch: &B,
        objective: &impl Objective<M, B>,
    ) -> Result<(TrustRegionReport, Option<M>), OptimError> {
        let seed = self.config.draws_seed;
        let seed = seed.map(|seed| mix(seed, self.step as u64));
        let draws = match seed {
            Some(_) => Some(OwnDraws::begin(ParamSpace::of(model)?.device())?),
            None => None,
        };
        let mut evaluate = |model: &M| {
            if let (Some(draws), Some(seed)) = (&draws, seed) {
                draws.seed(seed);
            }
            objective.loss(model, batch.clone())
        };
        let PlainPass { report: pass, .. } =
            plain_pass(&ModuleLearningRate::from(1.0), model, &mut evaluate)?;
        let mut report = TrustRegionReport {
            loss: pass.loss,
            gradient_norm: pass.gradient_norm,
            num_gradients: pass.num_gradients,
            radius: self.delta,
            next_radius: self.delta,
            skipped: pass.skipped,
            ..TrustRegionReport::default()
        };
        if report.skipped.is_some() {
            return Ok((report, None));
        }
        let base = pass.loss.ok_or(Need::Losses.unmet("a trust region"))?;
        // Of one pass over the batch; a trial is not another one.
        let statistics = BufferSnapshot::of(model);
        let hessian = batch_hessian(model, objective, batch, seed)?;
        report.num_gradients += 1;
        let rounding = epsilon(hessian.space().dtype()?);
        if seed.is_none() && !agree(base, hessian.loss(), rounding) {
            // Burn's kernels and ours round differently: only the same evaluation shows draws.
            report.num_losses += 1;
            let again = number(called(|| evaluate(model))?)?;
            if !agree(base, again, rounding) {
                return Err(LossError::Draws.into());
            }
        }
        let step = self.minimize(&hessian, &mut report)?;
        drop(hessian);
        // Also where it is NaN.
        let has_decrease = report.predicted > 0.0;
        if !has_decrease {
            return Ok((report, None));
        }
        let trial = step.perturb(model, 1.0)?;
        report.num_losses += 1;
        let loss = number(called(|| evaluate(&trial))?)?;
        let trial = statistics.restore(trial);
        self.judge(base, loss, rounding, &mut report);
        let is_taken = report.accepted;
        Ok((report, is_taken.then_some(trial)))
    }

    /// The global minimizer of the quadratic model in the ball.
    fn minimize(
        &self,
        hessian: &Hessian<'_>,
        report: &mut TrustRegionReport,
    ) -> Result<ParamVector, OptimError> {
        let config = TrustRegionConfig::new(self.delta)
            .with_tolerance(self.config.tolerance)
            .with_max_basis(self.config.max_basis)
            .with_certificate(self.config.certificate)
            .with_seed(self.config.seed);
        let found = config.minimize(hessian, &hessian.gradient()?)?;
        report.predicted = -found.value;
        report.step_norm = found.v.norm()?;
        report.kind = Some(found.kind);
        report.multiplier = found.multiplier;
        report.certified = found.certified;
        report.num_matvecs = found.num_matvecs;
        Ok(found.v)
    }

    /// Compares the loss of the trial with the prediction.
    fn judge(&self, base: f64, loss: f64, rounding: f64, report: &mut TrustRegionReport) {
        // Next to a minimum both decreases are below the rounding of the loss, and their ratio would be noise.
        let margin = ROUNDINGS * rounding * base.abs();
        let ratio = if loss.is_finite() {
            (base - loss + margin) / (report.predicted + margin)
        } else {
            f64::NEG_INFINITY
        };
        let is_inside = report.kind == Some(SolutionKind::Interior);
        report.trial_loss = Some(loss);
        report.ratio = Some(ratio);
        report.accepted = ratio > self.config.accept;
        report.next_radius = if ratio < POOR {
            SHRINK * report.step_norm
        } else if ratio > GOOD && !is_inside {
            let largest = self.config.max_radius.unwrap_or(f64::MAX);
            (GROW * self.delta).min(largest)
        } else {
            self.delta
        };
    }
}

/// Whether two evaluations of a loss differ by no more than rounding.
fn agree(one: f64, other: f64, rounding: f64) -> bool {
    // Two random losses in half precision are often equal by chance.
    let roundings = if rounding > 1e-4 { 1.5 } else { 1e3 };
    (one - other).abs() <= roundings * rounding * one.abs().max(other.abs())
}

/// A loss on the host.
fn number(loss: Tensor<1>) -> Result<f64, LossError> {
    check_scalar(&loss)?;
    let values = to_host(loss.inner())?;
    Ok(values.first().copied().unwrap_or(f64::NAN))
}
