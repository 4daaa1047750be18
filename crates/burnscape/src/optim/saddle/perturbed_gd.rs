use burn::config::Config;
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::{DType, Tensor, TensorData};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::OutOfRange;
use crate::optim::plain::plain_pass;
use crate::optim::record::{VERSION, missing};
use crate::optim::{
    ClosureStep, IntoEvaluation, Need, OptimError, OptimRecord, SkipReason, StepReport,
};
use crate::range::{POSITIVE, ensure};
use crate::space::{BufferSnapshot, LeafVector, ParamSpace, mix};
use crate::writing::number;

/// Perturbed gradient descent: escapes saddles by adding noise where the gradient is small, and reports when it
/// finds no descent (Jin et al. 2017, arXiv:1703.00887, Algorithm 2).
///
/// Where `|g| ≤ gradient_threshold` and no noise was added for `patience` steps, the weights are saved, and displaced
/// by a uniform draw from the ball of radius `radius`. If the loss has not fallen by `decrease` after `patience` more
/// steps, the saved point is restored: with high probability it is a second-order point (small gradient, no strongly
/// negative curvature).
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
    /// Largest size of a negative curvature that is not strong. If a certificate finds an eigenvalue below its negative,
    /// the saved point is not restored, and the search continues from the present point. Without a threshold the
    /// certificate is only reported.
    #[config(default = "None")]
    pub curvature_threshold: Option<f64>,
    /// Seed of the noise.
    #[config(default = 0)]
    pub seed: u64,
}

impl PerturbedGdConfig {
    /// Builds the optimizer around a base.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`].
    pub fn init(&self, base: ModuleOptimizer) -> Result<PerturbedGd, OutOfRange> {
        ensure("radius", self.radius, POSITIVE)?;
        ensure("gradient_threshold", self.gradient_threshold, POSITIVE)?;
        ensure("decrease", self.decrease, POSITIVE)?;
        if let Some(threshold) = self.curvature_threshold {
            ensure("curvature_threshold", threshold, 0.0..)?;
        }
        ensure("patience", self.patience as f64, 1.0..)?;
        Ok(PerturbedGd {
            config: self.clone(),
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
    /// The point at which the noise was added.
    start: SecondOrderPoint,
    weights: LeafVector,
    /// The running statistics there; none after a resume, because the model's own record has the last ones only.
    statistics: Option<BufferSnapshot>,
}

/// The saved state. The weights of a trial are a vector of the record.
#[derive(Debug, Serialize, Deserialize)]
struct SearchState {
    version: u32,
    step: usize,
    trial: Option<SecondOrderPoint>,
    certified: Option<SecondOrderPoint>,
}

/// The point at which perturbed gradient descent ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SecondOrderPoint {
    /// The loss there.
    #[serde(with = "number")]
    pub loss: f64,
    /// The gradient norm there.
    #[serde(with = "number")]
    pub gradient_norm: f64,
    /// The smallest eigenvalue of the Hessian, if the certificate computed it. If it is clearly negative, the point is a
    /// saddle that the noise did not escape in `patience` steps.
    #[serde(with = "number")]
    pub lambda_min: Option<f64>,
    /// The step at which the point was restored.
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

    /// One step. When the search ends, `certificate` is called on the model at the saved point, and returns the smallest
    /// eigenvalue of the Hessian:
    /// `|m| Ok(EigenpairsConfig::new(1, Which::Smallest).run(&risk.hessian(m)?)?.values[0])`.
    ///
    /// # Errors
    ///
    /// As [`ClosureStep::closure_step`], and [`OptimError::Unmet`] if the closure returns
    /// gradients alone: an escape is recognized by the loss. Errors of the certificate, and
    /// [`OptimError::Certificate`] for a failure of another kind or a number that is not finite. No
    /// point is certified then; the model is as before, and the next step calls the certificate again.
    pub fn step_with_certificate<M, F, R, C>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        closure: F,
        certificate: C,
    ) -> Result<StepReport, OptimError>
    where
        M: Module,
        F: FnMut(&M) -> R,
        R: IntoEvaluation,
        C: FnOnce(&M) -> Result<f64, OptimError>,
    {
        self.step(lr, model, closure, |model| {
            let lambda_min = certificate(model)?;
            if lambda_min.is_finite() {
                Ok(Some(lambda_min))
            } else {
                let message = format!("it gave {lambda_min}");
                Err(OptimError::Certificate { message })
            }
        })
    }

    /// A step. On an error running statistics are restored.
    fn step<M: Module, R: IntoEvaluation>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        closure: impl FnMut(&M) -> R,
        certificate: impl FnOnce(&M) -> Result<Option<f64>, OptimError>,
    ) -> Result<StepReport, OptimError> {
        if self.certified.is_some() {
            return Ok(StepReport {
                skipped: Some(SkipReason::Certified),
                ..StepReport::default()
            });
        }
        let before = BufferSnapshot::of(model);
        let report = self.search(&lr.into(), model, &before, closure, certificate);
        if report.is_err() {
            drop(before.restore(model.clone()));
        }
        report
    }

    fn search<M: Module, R: IntoEvaluation>(
        &mut self,
        lr: &ModuleLearningRate,
        model: &mut M,
        before: &BufferSnapshot,
        mut closure: impl FnMut(&M) -> R,
        certificate: impl FnOnce(&M) -> Result<Option<f64>, OptimError>,
    ) -> Result<StepReport, OptimError> {
        let pass = plain_pass(lr, model, &mut closure)?;
        let mut report = pass.report;
        let Some(mut gradient) = pass.gradient else {
            self.step += 1;
            return Ok(report);
        };
        let loss = report
            .loss
            .ok_or(Need::Losses.unmet("perturbed gradient descent"))?;
        if let Some(trial) = &self.trial
            && self.step - trial.start.step >= self.config.patience
        {
            if loss - trial.start.loss > -self.config.decrease
                && let Some(point) = self.certify(model, trial, certificate)?
            {
                self.certified = Some(point);
                self.trial = None;
                report.skipped = Some(SkipReason::Certified);
                return Ok(report);
            }
            self.trial = None;
        }
        if report.gradient_norm <= self.config.gradient_threshold && self.trial.is_none() {
            let space = gradient.space().clone();
            let trial = Trial {
                start: SecondOrderPoint {
                    loss,
                    gradient_norm: report.gradient_norm,
                    lambda_min: None,
                    step: self.step,
                },
                weights: LeafVector::from_module(&space, model)?,
                statistics: Some(before.clone()),
            };
            // The trial begins once the noisy pass has succeeded.
            let noisy = self.add_noise(&space, model)?;
            let pass = plain_pass(lr, &noisy, &mut closure)?;
            report.num_gradients += 1;
            report.perturbed_loss = pass.report.loss;
            let Some(noisy_gradient) = pass.gradient else {
                report.skipped = Some(SkipReason::NonFinitePerturbed);
                self.step += 1;
                return Ok(report);
            };
            *model = noisy;
            gradient = noisy_gradient;
            self.trial = Some(trial);
        }
        self.step += 1;
        let gradients = gradient.into_gradients();
        *model = self.base.step(lr.clone(), model.clone(), gradients);
        Ok(report)
    }

    /// Restores the start of a trial that did not escape, unless the certificate finds a saddle there.
    fn certify<M: Module>(
        &self,
        model: &mut M,
        trial: &Trial,
        certificate: impl FnOnce(&M) -> Result<Option<f64>, OptimError>,
    ) -> Result<Option<SecondOrderPoint>, OptimError> {
        let mut kept = trial.weights.apply_to(model)?;
        if let Some(statistics) = &trial.statistics {
            kept = statistics.restore(kept);
        }
        let lambda_min = certificate(&kept)?;
        let threshold = self.config.curvature_threshold;
        let mut thresholds = threshold.zip(lambda_min).into_iter();
        if thresholds.any(|(threshold, lambda)| lambda < -threshold) {
            return Ok(None);
        }
        *model = kept;
        Ok(Some(SecondOrderPoint {
            lambda_min,
            step: self.step,
            ..trial.start
        }))
    }

    /// The model displaced by a uniform draw from the ball: a normal direction, and `U^(1/n)` of the radius.
    fn add_noise<M: Module>(&self, space: &ParamSpace, model: &M) -> Result<M, OptimError> {
        let mut rng = StdRng::seed_from_u64(mix(self.config.seed, self.step as u64));
        let noise = LeafVector::zeros(space).map_all(|leaf, _| {
            let normal: Vec<f64> = (0..leaf.len())
                .map(|_| StandardNormal.sample(&mut rng))
                .collect();
            let data = TensorData::new(normal, [leaf.len()]);
            // Half precision would round the direction before it is scaled.
            let dtype = if leaf.dtype() == DType::F64 {
                DType::F64
            } else {
                DType::F32
            };
            Some(Tensor::from_data(data, (space.device(), dtype)))
        });
        let share = rng.random::<f64>().powf(1.0 / space.len() as f64);
        Ok(noise.perturb(model, self.config.radius * share / noise.norm()?)?)
    }
}

const KIND: &str = "perturbed_gd";
const WEIGHTS: &str = "trial.weights";

impl ClosureStep for PerturbedGd {
    fn closure_step<M: Module, R: IntoEvaluation>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        closure: impl FnMut(&M) -> R,
    ) -> Result<StepReport, OptimError> {
        self.step(lr, model, closure, |_| Ok(None))
    }
    fn save_state<M: Module>(&self, model: &M) -> Result<OptimRecord, OptimError> {
        let trial = self.trial.as_ref();
        let state = SearchState {
            version: VERSION,
            step: self.step,
            trial: trial.map(|trial| trial.start.clone()),
            certified: self.certified.clone(),
        };
        OptimRecord::new(KIND, model)?
            .with_state(&state)?
            .with_vector(WEIGHTS, trial.map(|trial| &trial.weights))?
            .with_base(&self.base)
    }

    fn load_state<M: Module>(mut self, record: OptimRecord, model: &M) -> Result<Self, OptimError> {
        let space = record.check(KIND, model)?;
        let SearchState {
            step,
            trial,
            certified,
            ..
        } = record.state()?;
        self.step = step;
        self.certified = certified;
        self.trial = None;
        if let Some(start) = trial {
            let weights = record.vector(WEIGHTS, &space);
            self.trial = Some(Trial {
                start,
                weights: weights.ok_or_else(|| missing(WEIGHTS))?,
                statistics: None,
            });
        }
        self.base = record.load_base(self.base, &space)?;
        Ok(self)
    }
}
