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
    /// [Half the width](crate::Estimate::half_width) of the interval that covers the trace with the confidence set,
    /// by Student's t over the samples with room for skewness (the jackknife's, and conservative, for XTrace and
    /// XNysTrace): the draw is all that it has to cover, as each sample is unbiased. Zero where the trace is exact, or where all samples agree (a diagonal operator;
    /// two samples of an operator of two dimensions, by chance), none from a single sample.
    pub half_width: Option<f64>,
    /// Products used.
    pub num_matvecs: usize,
    /// How the run ended. It has converged if the half width came within the tolerance, if one was set: never from
    /// fewer than 24 samples (8 vectors of XTrace and XNysTrace), unless the trace is exact.
    pub outcome: Outcome,
    /// The method: the one that was chosen, if it was left to choose.
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
