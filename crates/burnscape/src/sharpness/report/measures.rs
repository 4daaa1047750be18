//! The single measures of a report, and the rows that they make.

use burn::module::Module;
use burnscape_krylov::{EigenpairsConfig, Outcome, Which};

use super::moments::Moments;
use super::row::note_unless;
use super::run::Run;
use super::{SharpnessMeasure, SharpnessRow};
use crate::curvature::{DiagonallyScaled, Hessian};
use crate::sharpness::{
    AverageSharpnessConfig, PacBayesSigmaConfig, Region, RelativeFlatnessConfig, SharpnessError,
    WorstCaseSharpnessConfig,
};
use crate::space::Scale;

/// The note of an ascent that has not converged.
const SHORT_ASCENT: &str = "the search stopped at its step limit; the true value may be higher";

impl<M: Module, K> Run<'_, '_, M, K> {
    pub(super) fn average_sharpness(&mut self, scale: Scale) -> Result<(), SharpnessError> {
        self.take(
            SharpnessMeasure::AverageSharpness,
            Some(scale),
            |run, row| {
                let found = AverageSharpnessConfig::new(run.config.sigma)
                    .with_num_samples(run.config.num_samples)
                    .with_antithetic(true)
                    .with_scale(scale)
                    .with_seed(run.config.seed)
                    .run(run.risk, run.model)?;
                let row = SharpnessRow {
                    setting: format!("sigma {}", run.config.sigma),
                    value: Some(found.rise),
                    standard_error: found.standard_error,
                    num_losses: found.num_losses,
                    ..row
                };
                Ok(found.completed.then(|| vec![row]))
            },
        )
    }

    pub(super) fn worst_case_sharpness(&mut self, scale: Scale) -> Result<(), SharpnessError> {
        self.take(
            SharpnessMeasure::WorstCaseSharpness,
            Some(scale),
            |run, row| {
                let rho = match scale {
                    Scale::Absolute => run.config.rho,
                    _ => run.config.relative_rho,
                };
                let found = WorstCaseSharpnessConfig::new(rho)
                    .with_region(Region::Ball(scale))
                    .with_num_steps(run.config.num_steps)
                    .with_num_starts(2)
                    .with_seed(run.config.seed)
                    .run(run.risk, run.model)?;
                let row = SharpnessRow {
                    setting: format!("rho {rho}"),
                    value: Some(found.rise),
                    note: note_unless(found.outcome.is_converged(), SHORT_ASCENT),
                    num_gradients: found.num_gradients,
                    ..row
                };
                Ok((found.outcome != Outcome::Stopped).then(|| vec![row]))
            },
        )
    }

    pub(super) fn pac_bayes_sigma(&mut self, scale: Scale) -> Result<(), SharpnessError> {
        self.take(SharpnessMeasure::PacBayesSigma, Some(scale), |run, row| {
            let found = PacBayesSigmaConfig::new(run.config.threshold)
                .with_num_samples(run.config.num_samples)
                .with_scale(scale)
                .with_seed(run.config.seed)
                .run(run.risk, run.model)?;
            let note = "a lower bound: the search ended before";
            let row = SharpnessRow {
                setting: format!("threshold {}", run.config.threshold),
                value: Some(found.sigma),
                note: note_unless(found.outcome.is_converged(), note),
                num_losses: found.num_losses,
                ..row
            };
            Ok((found.outcome != Outcome::Stopped).then(|| vec![row]))
        })
    }

    pub(super) fn keskar(&mut self) -> Result<(), SharpnessError> {
        self.take(SharpnessMeasure::Keskar, None, |run, row| {
            let found = WorstCaseSharpnessConfig::keskar(run.config.epsilon)
                .with_num_steps(run.config.num_steps)
                .with_num_starts(2)
                .with_seed(run.config.seed)
                .run(run.risk, run.model)?;
            let row = SharpnessRow {
                setting: format!("epsilon {}, percent", run.config.epsilon),
                value: Some(found.keskar()?),
                note: note_unless(found.outcome.is_converged(), SHORT_ASCENT),
                num_gradients: found.num_gradients,
                ..row
            };
            Ok((found.outcome != Outcome::Stopped).then(|| vec![row]))
        })
    }

    pub(super) fn lambda_max(
        &mut self,
        scale: Scale,
        hessian: &Hessian<'_>,
    ) -> Result<(), SharpnessError> {
        self.take(SharpnessMeasure::LambdaMax, Some(scale), |run, row| {
            let operator = DiagonallyScaled::new(hessian, run.model, scale)?;
            let found = EigenpairsConfig::new(1, Which::Largest)
                .with_tolerance(LAMBDA_TOLERANCE)
                .with_max_matvecs(run.config.lambda_max_matvecs)
                .with_seed(run.config.seed)
                .run(&operator)?;
            let row = SharpnessRow {
                value: Some(*found.values.first().ok_or(SharpnessError::Stopped)?),
                note: note_unless(found.outcome.is_converged(), "not converged"),
                num_matvecs: found.num_matvecs,
                ..row
            };
            Ok((found.outcome != Outcome::Stopped).then(|| vec![row]))
        })
    }

    /// The trace and the Frobenius norm.
    pub(super) fn moments(
        &mut self,
        scale: Scale,
        hessian: &Hessian<'_>,
    ) -> Result<(), SharpnessError> {
        self.take(SharpnessMeasure::Trace, Some(scale), |run, row| {
            let operator = DiagonallyScaled::new(hessian, run.model, scale)?;
            let found = Moments::of(&operator, run.config.trace_matvecs, run.config.seed)?;
            let trace = SharpnessRow {
                value: Some(found.trace.value),
                standard_error: found.trace.standard_error,
                num_matvecs: found.trace.samples,
                ..row
            };
            let norm = SharpnessRow {
                value: Some(found.frobenius_norm),
                standard_error: found.frobenius_error,
                ..SharpnessRow::new(SharpnessMeasure::FrobeniusNorm, Some(scale))
            };
            Ok(found.completed.then(|| vec![trace, norm]))
        })
    }

    pub(super) fn relative_flatness(
        &mut self,
        hessian: &Hessian<'_>,
    ) -> Result<(), SharpnessError> {
        self.take(SharpnessMeasure::RelativeFlatness, None, |run, row| {
            let found = RelativeFlatnessConfig::new()
                .with_max_matvecs(run.config.trace_matvecs.saturating_mul(2))
                .with_seed(run.config.seed)
                .run(hessian, run.model)?;
            let setting = if found.exact { "exact" } else { "estimated" };
            // All layers share the products; the first row counts them.
            let mut num_matvecs = found.num_matvecs;
            let rows = found.layers.into_iter().map(|layer| SharpnessRow {
                part: Some(layer.path),
                setting: setting.to_owned(),
                value: Some(layer.value),
                standard_error: layer.standard_error,
                num_matvecs: std::mem::take(&mut num_matvecs),
                ..row.clone()
            });
            let rows = rows.collect();
            Ok(found.completed.then_some(rows))
        })
    }
}

/// The residual of λ_max, relative to the norm.
const LAMBDA_TOLERANCE: f64 = 1e-4;
