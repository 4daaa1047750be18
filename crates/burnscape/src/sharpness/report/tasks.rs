//! The single measures of a report, and the rows that they make.

use burn::module::Module;
use burnscape_krylov::{DensityConfig, EigenpairsConfig, LinearOperator, Outcome, Which};

use super::moments::Moments;
use super::run::{Measured, Run};
use super::{Measure, SharpnessReportConfig, SharpnessRow};
use crate::curvature::{DiagonallyScaled, Fisher, Hessian};
use crate::loss::Risk;
use crate::sharpness::{
    AverageSharpnessConfig, KeskarConfig, McAllesterConfig, PacBayesSigmaConfig,
    RelativeFlatnessConfig, SharpnessError, WorstCaseSharpnessConfig, fisher_rao,
};
use crate::space::Scale;

/// Residual of λ_max, relative to the norm, and its products; Fisher's four probes of thirty steps.
const LAMBDA_TOLERANCE: f64 = 1e-4;
const LAMBDA_MATVECS: usize = 100;
const PROBES: usize = 4;
const PROBE_STEPS: usize = 30;
/// The σ that the search for PAC-Bayes σ can end at: doubled or halved at most 60 times, and each
/// octave halved seven times, to 1 %.
const SIGMA_GRID: usize = 120 * 128;

impl SharpnessReportConfig {
    /// What noise and ascents cost in one scale.
    pub(super) fn rises<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        scale: Scale,
        run: &mut Run,
    ) -> Result<(), SharpnessError> {
        let row = |measure| SharpnessRow::new(measure, Some(scale));
        run.take(risk, (Measure::AverageSharpness, Some(scale)), || {
            let found = AverageSharpnessConfig::new(self.sigma)
                .with_num_samples(self.num_samples)
                .with_antithetic(true)
                .with_scale(scale)
                .with_seed(self.seed)
                .run(risk, model)?;
            let row = row(Measure::AverageSharpness)
                .setting(format!("sigma {}", self.sigma))
                .value(found.rise, found.standard_error)
                .cost(found.num_losses, 0, 0);
            Ok(one(row, found.completed))
        })?;
        run.take(risk, (Measure::WorstCaseSharpness, Some(scale)), || {
            let rho = match scale {
                Scale::Absolute => self.rho,
                _ => self.relative_rho,
            };
            let found = WorstCaseSharpnessConfig::new(rho)
                .with_num_steps(self.num_steps)
                .with_num_starts(2)
                .with_scale(scale)
                .with_seed(self.seed)
                .run(risk, model)?;
            let row = row(Measure::WorstCaseSharpness)
                .setting(format!("rho {rho}"))
                .value(found.rise, None)
                .note_unless(found.converged, "an ascent used up its steps")
                .cost(0, found.num_gradients, 0);
            Ok(one(row, found.completed))
        })?;
        run.take(risk, (Measure::PacBayesSigma, Some(scale)), || {
            let found = PacBayesSigmaConfig::new(self.threshold)
                .with_num_samples(self.num_samples)
                .with_scale(scale)
                .with_seed(self.seed)
                .run(risk, model)?;
            let row = row(Measure::PacBayesSigma)
                .setting(format!("threshold {}", self.threshold))
                .value(found.sigma, None)
                .note_unless(found.converged, "a lower bound: the search ended before")
                .cost(found.num_losses, 0, 0);
            Ok(one(row, found.completed))
        })
    }

    pub(super) fn keskar<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        run: &mut Run,
    ) -> Result<(), SharpnessError> {
        run.take(risk, (Measure::Keskar, None), || {
            let found = KeskarConfig::new(self.epsilon)
                .with_num_steps(self.num_steps)
                .with_num_starts(2)
                .with_seed(self.seed)
                .run(risk, model)?;
            let row = SharpnessRow::new(Measure::Keskar, None)
                .setting(format!("epsilon {}, percent", self.epsilon))
                .value(found.sharpness, None)
                .note_unless(found.converged, "an ascent used up its steps")
                .cost(0, found.num_gradients, 0);
            Ok(one(row, found.completed))
        })
    }

    pub(super) fn bound<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        prior: &M,
        run: &mut Run,
    ) -> Result<(), SharpnessError> {
        let absolute = Some(Scale::Absolute);
        let mut rows = run.rows.iter();
        let borne = rows.find(|row| row.measure == Measure::PacBayesSigma && row.scale == absolute);
        let borne = borne.and_then(|row| row.value).filter(|sigma| *sigma > 0.0);
        // A σ found on the data costs a union over those that the search could have found.
        let (sigma, num_priors) = match borne {
            Some(sigma) => (sigma, SIGMA_GRID),
            None => (self.sigma, 1),
        };
        run.take(risk, (Measure::McAllesterBound, None), || {
            let found = McAllesterConfig::new(sigma)
                .with_delta(self.delta)
                .with_num_priors(num_priors)
                .with_num_samples(self.num_samples)
                .with_seed(self.seed)
                .run(risk, model, prior)?;
            let row = SharpnessRow::new(Measure::McAllesterBound, None)
                .setting(format!("sigma {sigma:.4}, delta {}", self.delta))
                .value(found.bound, found.standard_error)
                .note_unless(found.is_in_range, "no bound: losses outside [0, 1]")
                .cost(found.num_losses, 0, 0);
            Ok(one(row, found.completed))
        })
    }

    pub(super) fn of_hessian<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        hessian: &Hessian<'_>,
        run: &mut Run,
    ) -> Result<(), SharpnessError> {
        for &scale in &self.scales {
            let row = |measure| SharpnessRow::new(measure, Some(scale));
            run.take(risk, (Measure::LambdaMax, Some(scale)), || {
                let operator = DiagonallyScaled::new(model, hessian, scale)?;
                let found = EigenpairsConfig::new(1, Which::Largest)
                    .with_tolerance(LAMBDA_TOLERANCE)
                    .with_max_matvecs(LAMBDA_MATVECS)
                    .with_seed(self.seed)
                    .run(&operator)?;
                let value = *found.values.first().ok_or(SharpnessError::Stopped)?;
                let row = row(Measure::LambdaMax)
                    .value(value, None)
                    .note_unless(found.outcome.is_converged(), "not converged")
                    .cost(0, 0, found.num_matvecs);
                Ok(one(row, found.outcome != Outcome::Stopped))
            })?;
            run.take(risk, (Measure::Trace, Some(scale)), || {
                let operator = DiagonallyScaled::new(model, hessian, scale)?;
                let found = Moments::of(&operator, self.num_matvecs, self.seed)?;
                let trace = row(Measure::Trace)
                    .value(found.trace.value, found.trace.standard_error)
                    .cost(0, 0, found.trace.samples);
                let norm =
                    row(Measure::FrobeniusNorm).value(found.frobenius_norm, found.frobenius_error);
                Ok(Measured {
                    rows: vec![trace, norm],
                    completed: found.completed,
                })
            })?;
        }
        run.take(risk, (Measure::RelativeFlatness, None), || {
            let found = RelativeFlatnessConfig::new()
                .with_max_matvecs(self.num_matvecs.saturating_mul(2))
                .with_seed(self.seed)
                .run(hessian, model)?;
            let setting = if found.exact { "exact" } else { "estimated" };
            let mut products = found.num_matvecs;
            let rows = found.layers.into_iter().map(|layer| {
                let mut row = SharpnessRow::new(Measure::RelativeFlatness, None)
                    .setting(setting)
                    .value(layer.value, layer.standard_error)
                    .cost(0, 0, std::mem::take(&mut products));
                row.part = Some(layer.path);
                row
            });
            Ok(Measured {
                rows: rows.collect(),
                completed: found.completed,
            })
        })
    }

    pub(super) fn of_fisher<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        fisher: &Fisher<'_>,
        run: &mut Run,
    ) -> Result<(), SharpnessError> {
        run.take(risk, (Measure::FisherRaoNorm, None), || {
            let found = fisher_rao(model, fisher)?;
            let row = SharpnessRow::new(Measure::FisherRaoNorm, None)
                .value(found.norm, None)
                .cost(0, 0, found.num_matvecs);
            Ok(one(row, true))
        })?;
        run.take(risk, (Measure::EffectiveDimension, None), || {
            let density = DensityConfig::new()
                .with_probes(PROBES)
                .with_steps(PROBE_STEPS.min(fisher.domain().len()))
                .with_seed(self.seed)
                .run(fisher)?;
            let found = density.effective_dimension(self.gamma);
            let row = SharpnessRow::new(Measure::EffectiveDimension, None)
                .setting(format!("gamma {}", self.gamma))
                .value(found.value, found.standard_error())
                .cost(0, 0, density.num_matvecs());
            Ok(one(row, !density.is_stopped()))
        })
    }
}

fn one(row: SharpnessRow, completed: bool) -> Measured {
    Measured {
        rows: vec![row],
        completed,
    }
}
