use std::fmt;

use serde::{Deserialize, Serialize};

/// A measure of sharpness, as the rows of a [`SharpnessReport`](super::SharpnessReport) name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Measure {
    /// The average rise of the loss under noise: [`AverageSharpnessConfig`](crate::sharpness::AverageSharpnessConfig).
    AverageSharpness,
    /// The largest rise in a ball: [`WorstCaseSharpnessConfig`](crate::sharpness::WorstCaseSharpnessConfig).
    WorstCaseSharpness,
    /// The noise that is borne: [`PacBayesSigmaConfig`](crate::sharpness::PacBayesSigmaConfig).
    PacBayesSigma,
    /// The largest eigenvalue of the Hessian: [`EigenpairsConfig`](crate::krylov::EigenpairsConfig).
    LambdaMax,
    /// The trace of the Hessian: [`TraceConfig`](crate::krylov::TraceConfig).
    Trace,
    /// The Frobenius norm of the Hessian, from the products of the trace.
    FrobeniusNorm,
    /// The largest rise in Keskar's box, in percent: [`KeskarConfig`](crate::sharpness::KeskarConfig).
    Keskar,
    /// The relative flatness of one weight:
    /// [`RelativeFlatnessConfig`](crate::sharpness::RelativeFlatnessConfig).
    RelativeFlatness,
    /// McAllester's bound around a prior: [`McAllesterConfig`](crate::sharpness::McAllesterConfig).
    McAllesterBound,
    /// The Fisher-Rao norm: [`fisher_rao`](crate::sharpness::fisher_rao()).
    FisherRaoNorm,
    /// The effective dimension of the Fisher matrix:
    /// [`SpectralDensity::effective_dimension`](crate::krylov::SpectralDensity::effective_dimension).
    EffectiveDimension,
}

impl fmt::Display for Measure {
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
