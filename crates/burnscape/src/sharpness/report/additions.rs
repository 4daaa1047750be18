//! Measures that need more than a loss: a Fisher matrix, or a prior.

use burn::module::Module;
use burnscape_krylov::{DensityConfig, SelfAdjoint};

use super::row::note_unless;
use super::{SharpnessMeasure, SharpnessReport, SharpnessRow};
use crate::curvature::CurvatureError;
use crate::loss::Risk;
use crate::sharpness::{FisherRao, McAllesterConfig, SharpnessError};
use crate::space::{ParamVector, Scale};

/// Probes and steps of the density of a Fisher matrix.
const PROBES: usize = 4;
const PROBE_STEPS: usize = 30;
/// The number of σ that a search for PAC-Bayes σ can end at: it doubles or halves σ at most 60 times, and halves each
/// octave seven times, to 1 %.
const SIGMA_GRID: usize = 120 * 128;

impl SharpnessReport {
    /// Adds the Fisher-Rao norm of `model` and the effective dimension of `fisher`: the exact
    /// [`Fisher`](crate::curvature::Fisher) matrix, or another positive semidefinite matrix over its parameters.
    ///
    /// A report that the observer has stopped does not change.
    ///
    /// # Cost
    ///
    /// At most 121 products.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::Curvature`], [`SharpnessError::Space`].
    pub fn add_fisher<M, A>(&mut self, fisher: &A, model: &M) -> Result<(), SharpnessError>
    where
        M: Module,
        A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
    {
        if self.completed {
            let measure = SharpnessMeasure::FisherRaoNorm;
            let norm = || {
                let found = FisherRao::of(fisher, model)?;
                Ok(Some(vec![SharpnessRow {
                    value: Some(found.norm),
                    num_matvecs: found.num_matvecs,
                    ..SharpnessRow::new(measure, None)
                }]))
            };
            self.completed = self.add(measure, None, norm())?;
        }
        if self.completed {
            let measure = SharpnessMeasure::EffectiveDimension;
            let (gamma, seed) = (self.config.gamma, self.config.seed);
            let dimension = || {
                let density = DensityConfig::new()
                    .with_num_probes(PROBES)
                    .with_steps(PROBE_STEPS.min(fisher.domain().len()))
                    .with_seed(seed)
                    .run(fisher)?;
                let found = density.effective_dimension(gamma);
                let row = SharpnessRow {
                    setting: format!("gamma {gamma}"),
                    value: Some(found.value),
                    standard_error: found.standard_error(),
                    num_matvecs: density.num_matvecs(),
                    ..SharpnessRow::new(measure, None)
                };
                Ok((!density.is_stopped()).then(|| vec![row]))
            };
            self.completed = self.add(measure, None, dimension())?;
        }
        Ok(())
    }

    /// Adds McAllester's bound around the weights of `prior`: the model before training, or trained on other data. σ is
    /// the absolute PAC-Bayes σ of the report, with a union over all values that its search can end at, or `sigma` if
    /// there is none.
    ///
    /// The loss of `risk` must be between 0 and 1, for instance the share of errors: a bound for any other loss is a row
    /// with this reason. A report that the observer has stopped does not change.
    ///
    /// # Cost
    ///
    /// A loss for the base, and one for each of `num_samples` samples.
    ///
    /// # Errors
    ///
    /// Those of [`McAllesterConfig::run`].
    pub fn add_mcallester_bound<M: Module, K>(
        &mut self,
        risk: &Risk<'_, M, K>,
        model: &M,
        prior: &M,
    ) -> Result<(), SharpnessError> {
        if !self.completed {
            return Ok(());
        }
        let found = self.value(SharpnessMeasure::PacBayesSigma, Some(Scale::Absolute));
        let (sigma, num_priors) = match found.filter(|sigma| *sigma > 0.0) {
            Some(sigma) => (sigma, SIGMA_GRID),
            None => (self.config.sigma, 1),
        };
        let config = McAllesterConfig::new(sigma)
            .with_delta(self.config.delta)
            .with_num_priors(num_priors)
            .with_num_samples(self.config.num_samples)
            .with_seed(self.config.seed);
        let measure = SharpnessMeasure::McAllesterBound;
        let bound = || {
            let found = config.run(risk, model, prior)?;
            let row = SharpnessRow {
                setting: format!("sigma {sigma:.4}, delta {}", config.delta),
                value: Some(found.bound),
                standard_error: found.standard_error,
                note: note_unless(found.is_in_range, "no bound: losses outside [0, 1]"),
                num_losses: found.num_losses,
                ..SharpnessRow::new(measure, None)
            };
            Ok(found.completed.then(|| vec![row]))
        };
        self.completed = self.add(measure, None, bound())?;
        Ok(())
    }
}
