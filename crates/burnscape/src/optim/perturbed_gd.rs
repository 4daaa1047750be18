use burn::config::Config;
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;

use super::error::check_range;
use super::plain::{PlainPass, plain_pass};
use super::seed::mix;
use super::{
    ClosureStep, IntoEvaluation, OptimConfigError, OptimError, OptimRecord, SkipReason, StepReport,
};
use crate::space::{LeafVector, ParamSpace, ParamVector};

/// Perturbed gradient descent: escapes saddles by adding noise where the gradient is small, and
/// says when it has not found a way down (Jin et al. 2017, arXiv:1703.00887, Algorithm 2).
///
/// Where `|g| ≤ gradient_threshold` and no noise was added for `patience` steps, the weights are
/// kept and moved by a uniform draw from the ball of radius `radius`. If the loss is not lower by
/// `decrease` after `patience` more steps, the kept point is taken back: with high probability it
/// is a second-order point (gradient small, no strongly negative curvature).
#[derive(Config, Debug)]
pub struct PerturbedGdConfig {
    /// Radius of the noise.
    pub radius: f64,
    /// Gradient norm below which a point may be a saddle.
    pub gradient_threshold: f64,
    /// Decrease of the loss that counts as an escape.
    pub decrease: f64,
    /// Steps that an escape may take.
    #[config(default = 50)]
    pub patience: usize,
    /// Seed of the noise.
    #[config(default = 0)]
    pub seed: u64,
}

impl PerturbedGdConfig {
    /// Builds the optimizer around a base.
    ///
    /// # Errors
    ///
    /// [`OptimConfigError::OutOfRange`].
    pub fn init(self, base: ModuleOptimizer) -> Result<PerturbedGd, OptimConfigError> {
        check_range("radius", self.radius, "a number > 0", |r| r > 0.0)?;
        check_range(
            "gradient_threshold",
            self.gradient_threshold,
            "a number > 0",
            |g| g > 0.0,
        )?;
        check_range("decrease", self.decrease, "a number > 0", |f| f > 0.0)?;
        check_range("patience", self.patience as f64, "at least 1", |n| n >= 1.0)?;
        Ok(PerturbedGd {
            config: self,
            base,
            step: 0,
            trial: None,
            certified: None,
        })
    }
}

/// Perturbed gradient descent around a Burn optimizer. Built by [`PerturbedGdConfig::init`].
///
/// # Cost
///
/// One gradient a step, two in a step that adds noise; one copy of the parameters while an escape
/// is being tried.
#[derive(Clone)]
pub struct PerturbedGd {
    config: PerturbedGdConfig,
    base: ModuleOptimizer,
    step: usize,
    trial: Option<Trial>,
    certified: Option<SecondOrderPoint>,
}

/// An escape that is being tried.
#[derive(Debug, Clone)]
struct Trial {
    /// The step at which the noise was added.
    since: usize,
    weights: LeafVector,
    loss: f64,
    gradient_norm: f64,
}

/// Where perturbed gradient descent ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SecondOrderPoint {
    /// The loss there.
    pub loss: f64,
    /// The gradient norm there.
    pub gradient_norm: f64,
    /// The smallest eigenvalue of the Hessian, if the certificate computed it.
    pub lambda_min: Option<f64>,
    /// The step at which the point was taken back.
    pub step: usize,
}

impl std::fmt::Debug for PerturbedGd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PerturbedGd")
            .field("config", &self.config)
            .field("step", &self.step)
            .field("certified", &self.certified)
            .finish_non_exhaustive()
    }
}

impl PerturbedGd {
    /// The point at which the search ended, once it has. Later steps leave the model there.
    pub fn certified(&self) -> Option<&SecondOrderPoint> {
        self.certified.as_ref()
    }

    /// One step. When the search ends, `certificate` is called on the model at the point that is
    /// returned, and may give its smallest Hessian eigenvalue.
    ///
    /// # Errors
    ///
    /// As [`ClosureStep::closure_step`].
    pub fn step_with_certificate<M, F, R, C>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        mut closure: F,
        certificate: C,
    ) -> Result<StepReport, OptimError>
    where
        M: Module,
        F: FnMut(&M) -> R,
        R: IntoEvaluation,
        C: FnOnce(&M) -> Option<f64>,
    {
        if self.certified.is_some() {
            return Ok(StepReport::skipped(SkipReason::Certified));
        }
        let lr = lr.into();
        let PlainPass {
            gradient,
            mut report,
        } = plain_pass(lr.base(), model, &mut closure)?;
        let Some(mut gradient) = gradient else {
            self.step += 1;
            return Ok(report);
        };
        let loss = report.loss.unwrap_or(f64::NAN);
        if let Some(trial) = &self.trial
            && self.step - trial.since == self.config.patience
            && loss - trial.loss > -self.config.decrease
        {
            *model = trial.weights.apply_to(model)?;
            self.certified = Some(SecondOrderPoint {
                loss: trial.loss,
                gradient_norm: trial.gradient_norm,
                lambda_min: certificate(model),
                step: self.step,
            });
            self.trial = None;
            report.skipped = Some(SkipReason::Certified);
            return Ok(report);
        }
        let is_waiting = self
            .trial
            .as_ref()
            .is_some_and(|trial| self.step - trial.since <= self.config.patience);
        if report.gradient_norm <= self.config.gradient_threshold && !is_waiting {
            let space = gradient.space().clone();
            self.trial = Some(Trial {
                since: self.step,
                weights: LeafVector::from_module(&space, model)?,
                loss,
                gradient_norm: report.gradient_norm,
            });
            let noisy = self.noise(&space)?.displace(model, self.config.radius)?;
            let second = plain_pass(lr.base(), &mut noisy.clone(), &mut closure)?;
            report.gradients += 1;
            report.perturbed_loss = second.report.loss;
            match second.gradient {
                Some(noisy_gradient) => {
                    *model = noisy;
                    gradient = noisy_gradient;
                }
                None => {
                    self.trial = None;
                    report.skipped = Some(SkipReason::NonFinitePerturbed);
                    self.step += 1;
                    return Ok(report);
                }
            }
        }
        self.step += 1;
        *model = self.base.step(lr, model.clone(), gradient.into_gradients());
        Ok(report)
    }

    fn noise(&self, space: &ParamSpace) -> Result<ParamVector, OptimError> {
        Ok(ParamVector::ball(
            space,
            mix(self.config.seed, self.step as u64),
        )?)
    }

    /// The state of this optimizer and of its base, for the parameters of `model`.
    ///
    /// # Errors
    ///
    /// [`OptimError::Record`], [`OptimError::Space`].
    pub fn to_record<M: Module>(&self, model: &M) -> Result<OptimRecord, OptimError> {
        let mut record = OptimRecord::new(KIND, model)?.with_counter("step", self.step as f64);
        if let Some(trial) = &self.trial {
            record = record
                .with_counter("trial.since", trial.since as f64)
                .with_counter("trial.loss", trial.loss)
                .with_counter("trial.gradient_norm", trial.gradient_norm)
                .with_vector("trial.weights", Some(&trial.weights))?;
        }
        if let Some(point) = &self.certified {
            record = record
                .with_counter("certified.loss", point.loss)
                .with_counter("certified.gradient_norm", point.gradient_norm)
                .with_counter("certified.step", point.step as f64);
            if let Some(lambda_min) = point.lambda_min {
                record = record.with_counter("certified.lambda_min", lambda_min);
            }
        }
        record.with_base(&self.base)
    }

    /// Takes up a saved state.
    ///
    /// # Errors
    ///
    /// [`OptimError::OtherModel`], [`OptimError::Record`].
    pub fn load_record<M: Module>(
        mut self,
        record: OptimRecord,
        model: &M,
    ) -> Result<Self, OptimError> {
        let space = record.check(KIND, model)?;
        let counter = |name| record.counter(name);
        self.step = counter("step").unwrap_or(0.0) as usize;
        self.trial = record.vector("trial.weights", &space).map(|weights| Trial {
            since: counter("trial.since").unwrap_or(0.0) as usize,
            weights,
            loss: counter("trial.loss").unwrap_or(f64::NAN),
            gradient_norm: counter("trial.gradient_norm").unwrap_or(f64::NAN),
        });
        self.certified = counter("certified.loss").map(|loss| SecondOrderPoint {
            loss,
            gradient_norm: counter("certified.gradient_norm").unwrap_or(f64::NAN),
            lambda_min: counter("certified.lambda_min"),
            step: counter("certified.step").unwrap_or(0.0) as usize,
        });
        self.base = record.load_base(self.base)?;
        Ok(self)
    }
}

const KIND: &str = "perturbed_gd";

impl ClosureStep for PerturbedGd {
    fn closure_step<M, F, R>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        closure: F,
    ) -> Result<StepReport, OptimError>
    where
        M: Module,
        F: FnMut(&M) -> R,
        R: IntoEvaluation,
    {
        self.step_with_certificate(lr, model, closure, |_| None)
    }
}
