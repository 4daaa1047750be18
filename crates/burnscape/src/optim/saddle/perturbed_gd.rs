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
use crate::optim::record::missing;
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
            search: Search {
                step: 0,
                trial: None,
                certified: None,
            },
            saved: None,
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
    search: Search,
    /// The model at the start of the trial, if there is one.
    saved: Option<SavedPoint>,
}

/// The progress of a search: its record, but for the saved weights.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Search {
    step: usize,
    /// The point and the step at which noise was added, until the escape has succeeded or failed.
    trial: Option<SecondOrderPoint>,
    certified: Option<SecondOrderPoint>,
}

#[derive(Debug, Clone)]
struct SavedPoint {
    weights: LeafVector,
    /// None after a resume, because the model's own record has the last running statistics only.
    statistics: Option<BufferSnapshot>,
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
            .field("search", &self.search)
            .finish_non_exhaustive()
    }
}

impl PerturbedGd {
    /// The point at which the search ended, once it has. Later steps leave the model there.
    pub fn certified(&self) -> Option<&SecondOrderPoint> {
        self.search.certified.as_ref()
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
    pub fn step_with_certificate<M: Module, R: IntoEvaluation>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        closure: impl FnMut(&M) -> R,
        certificate: impl FnOnce(&M) -> Result<f64, OptimError>,
    ) -> Result<StepReport, OptimError> {
        self.step(lr, model, closure, |model| certificate(model).map(Some))
    }

    /// A step. On an error running statistics are restored.
    fn step<M: Module, R: IntoEvaluation>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        closure: impl FnMut(&M) -> R,
        certificate: impl FnOnce(&M) -> Result<Option<f64>, OptimError>,
    ) -> Result<StepReport, OptimError> {
        if self.search.certified.is_some() {
            return Ok(StepReport {
                skipped: Some(SkipReason::Certified),
                ..StepReport::default()
            });
        }
        let before = BufferSnapshot::of(model);
        let report = self.descend(&lr.into(), model, &before, closure, certificate);
        if report.is_err() {
            drop(before.restore(model.clone()));
        }
        report
    }

    fn descend<M: Module, R: IntoEvaluation>(
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
            self.search.step += 1;
            return Ok(report);
        };
        let loss = report
            .loss
            .ok_or(Need::Losses.unmet("perturbed gradient descent"))?;
        if let Some(start) = &self.search.trial
            && self.search.step - start.step >= self.config.patience
        {
            if loss - start.loss > -self.config.decrease {
                self.search.certified = self.certify(model, start, certificate)?;
            }
            self.search.trial = None;
            self.saved = None;
            if self.search.certified.is_some() {
                report.skipped = Some(SkipReason::Certified);
                return Ok(report);
            }
        }
        if report.gradient_norm <= self.config.gradient_threshold && self.search.trial.is_none() {
            let space = gradient.space().clone();
            let weights = LeafVector::from_module(&space, model)?;
            let noisy = self.add_noise(&space, model)?;
            let pass = plain_pass(lr, &noisy, &mut closure)?;
            report.num_gradients += 1;
            report.perturbed_loss = pass.report.loss;
            let Some(noisy_gradient) = pass.gradient else {
                report.skipped = Some(SkipReason::NonFinitePerturbed);
                self.search.step += 1;
                return Ok(report);
            };
            // The trial begins once the noisy pass has succeeded.
            *model = noisy;
            gradient = noisy_gradient;
            self.search.trial = Some(SecondOrderPoint {
                loss,
                gradient_norm: report.gradient_norm,
                lambda_min: None,
                step: self.search.step,
            });
            self.saved = Some(SavedPoint {
                weights,
                statistics: Some(before.clone()),
            });
        }
        self.search.step += 1;
        let gradients = gradient.into_gradients();
        *model = self.base.step(lr.clone(), model.clone(), gradients);
        Ok(report)
    }

    /// Restores the start of a trial that did not escape, unless the certificate finds a saddle there.
    fn certify<M: Module>(
        &self,
        model: &mut M,
        start: &SecondOrderPoint,
        certificate: impl FnOnce(&M) -> Result<Option<f64>, OptimError>,
    ) -> Result<Option<SecondOrderPoint>, OptimError> {
        let saved = self.saved.as_ref().ok_or_else(|| missing(WEIGHTS))?;
        let mut kept = saved.weights.apply_to(model)?;
        if let Some(statistics) = &saved.statistics {
            kept = statistics.restore(kept);
        }
        let lambda_min = certificate(&kept)?;
        if let Some(lambda) = lambda_min {
            if !lambda.is_finite() {
                let message =
                    format!("the smallest eigenvalue is {lambda}; return a finite number");
                return Err(OptimError::Certificate { message });
            }
            let threshold = self.config.curvature_threshold;
            if threshold.is_some_and(|threshold| lambda < -threshold) {
                return Ok(None);
            }
        }
        *model = kept;
        Ok(Some(SecondOrderPoint {
            lambda_min,
            step: self.search.step,
            ..*start
        }))
    }

    /// The model displaced by a uniform draw from the ball: a normal direction, and `U^(1/n)` of the radius.
    fn add_noise<M: Module>(&self, space: &ParamSpace, model: &M) -> Result<M, OptimError> {
        let mut rng = StdRng::seed_from_u64(mix(self.config.seed, self.search.step as u64));
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
        let saved = self.saved.as_ref();
        OptimRecord::new(KIND, model)?
            .with_state(&self.search)?
            .with_vector(WEIGHTS, saved.map(|saved| &saved.weights))?
            .with_base(&self.base)
    }

    fn load_state<M: Module>(mut self, record: OptimRecord, model: &M) -> Result<Self, OptimError> {
        let space = record.check(KIND, model)?;
        self.search = record.state()?;
        self.saved = record.vector(WEIGHTS, &space).map(|weights| SavedPoint {
            weights,
            statistics: None,
        });
        if self.search.trial.is_some() && self.saved.is_none() {
            return Err(missing(WEIGHTS));
        }
        self.base = record.load_base(self.base, &space)?;
        Ok(self)
    }
}
