use serde::{Deserialize, Serialize};

use crate::Outcome;

/// An estimated diagonal.
///
/// Serialized without the vectors, which are empty (the default) after reading. Read a `DiagonalEstimate<()>` where the
/// vector type has no default.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DiagonalEstimate<V> {
    /// The diagonal.
    #[serde(skip)]
    pub diagonal: V,
    /// The square of the standard error of each coordinate, from the spread of the samples: not an interval, and inaccurate
    /// for few samples. Zero from a single sample. A value outside the range of the type is zero or infinite; `error` is
    /// computed without it.
    #[serde(skip)]
    pub variance: V,
    /// The root of the sum of `variance`: the error of the diagonal as a vector. Infinite for a single sample.
    #[serde(with = "crate::number")]
    pub error: f64,
    /// Products used.
    pub num_matvecs: usize,
    /// How the run ended. It has converged if the error is within the tolerance, if one was set, and never with
    /// fewer than eight samples, whose spread may be small by chance.
    pub outcome: Outcome,
}

impl<V> DiagonalEstimate<V> {
    /// The estimate of a run that an observer ended.
    pub(super) fn stopped(self) -> Self {
        Self {
            outcome: Outcome::Stopped,
            ..self
        }
    }
}
