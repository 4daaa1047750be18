use std::fmt;

use serde::{Deserialize, Serialize};

use crate::space::Scale;

/// The measures of a [`SharpnessReport`](super::SharpnessReport).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SharpnessMeasure {
    /// The average rise of the loss under noise: [`AverageSharpnessConfig`](crate::sharpness::AverageSharpnessConfig).
    AverageSharpness,
    /// The largest rise in a ball: [`WorstCaseSharpnessConfig`](crate::sharpness::WorstCaseSharpnessConfig).
    WorstCaseSharpness,
    /// The noise that is tolerated: [`PacBayesSigmaConfig`](crate::sharpness::PacBayesSigmaConfig).
    PacBayesSigma,
    /// The largest eigenvalue of the Hessian: [`EigenpairsConfig`](crate::krylov::EigenpairsConfig).
    LambdaMax,
    /// The trace of the Hessian: [`TraceConfig`](crate::krylov::TraceConfig).
    Trace,
    /// The Frobenius norm of the Hessian, from the products of the trace.
    FrobeniusNorm,
    /// The largest rise in Keskar's box, in percent of one plus the loss:
    /// [`WorstCaseSharpnessConfig::keskar`](crate::sharpness::WorstCaseSharpnessConfig::keskar).
    Keskar,
    /// The relative flatness of one weight:
    /// [`RelativeFlatnessConfig`](crate::sharpness::RelativeFlatnessConfig).
    RelativeFlatness,
    /// McAllester's bound around a prior: [`McAllesterConfig`](crate::sharpness::McAllesterConfig).
    McAllesterBound,
    /// The Fisher-Rao norm: [`FisherRao`](crate::sharpness::FisherRao).
    FisherRaoNorm,
    /// The effective dimension of the Fisher matrix:
    /// [`SpectralDensity::effective_dimension`](crate::krylov::SpectralDensity::effective_dimension).
    EffectiveDimension,
}

impl fmt::Display for SharpnessMeasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::AverageSharpness => "average rise",
            Self::WorstCaseSharpness => "worst-case rise",
            Self::PacBayesSigma => "PAC-Bayes sigma",
            Self::LambdaMax => "lambda max",
            Self::Trace => "trace",
            Self::FrobeniusNorm => "Frobenius norm",
            Self::Keskar => "Keskar",
            Self::RelativeFlatness => "relative flatness",
            Self::McAllesterBound => "McAllester bound",
            Self::FisherRaoNorm => "Fisher-Rao norm",
            Self::EffectiveDimension => "effective dimension",
        })
    }
}

/// The name of a measure, with the parameter that it is measured on.
pub(super) fn title(measure: SharpnessMeasure, part: Option<&str>) -> String {
    match part {
        Some(part) => format!("{measure} {part}"),
        None => measure.to_string(),
    }
}

/// The name of a scale; empty for measures without one.
pub(super) fn scale_name(scale: Option<Scale>) -> String {
    scale.map(|scale| scale.to_string()).unwrap_or_default()
}
