use serde::{Deserialize, Serialize};

use super::TraceMethod;
use crate::Outcome;

/// An estimated trace.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TraceEstimate {
    /// The trace, or the mean of an integrand.
    #[serde(with = "crate::number")]
    pub value: f64,
    /// [Half the width](crate::Estimate::half_width) of the interval that covers the trace with the confidence set: Student's,
    /// corrected for skewness, or the conservative jackknife of XTrace and XNysTrace. It covers the sampling error, the
    /// only one, because each sample is unbiased. Zero if the trace is exact, or if all samples agree (a diagonal operator;
    /// two samples of a two-dimensional operator, by chance); none from a single sample.
    #[serde(with = "crate::number::optional")]
    pub half_width: Option<f64>,
    /// Products used.
    pub num_matvecs: usize,
    /// How the run ended. It has converged if the half width is within the tolerance, if one was set, and never with
    /// fewer than 24 samples (8 vectors of XTrace and XNysTrace), unless the trace is exact.
    pub outcome: Outcome,
    /// The method; of [`TraceMethod::Auto`], the one that it chose.
    pub method: TraceMethod,
}

impl TraceEstimate {
    /// The estimate of a run that an observer ended.
    pub(super) fn stopped(self) -> Self {
        Self {
            outcome: Outcome::Stopped,
            ..self
        }
    }
}
