use serde::{Deserialize, Serialize};

use crate::Estimate;

/// A mean over the eigenvalues that quadrature bounds from both sides.
///
/// It has two errors. The *resolution*: a quadrature does not determine where between its nodes the eigenvalues are; the two
/// bounds hold for the random vector of each probe. The *sampling error* of the probes: both bounds have a standard error.
/// [`interval`](Self::interval) covers both.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Bracket {
    /// The best single number, between the bounds.
    pub value: f64,
    /// The mean is at least this in expectation.
    pub low: Estimate,
    /// The mean is at most this in expectation.
    pub high: Estimate,
    /// An upper bound of the mean for any operator; zero is a lower one.
    most: f64,
}

impl Bracket {
    /// The middle between the means of bounds, one of each probe, of a function between zero and one.
    pub(super) fn between(low: &[f64], high: &[f64]) -> Self {
        let (low, high) = (Estimate::of(low), Estimate::of(high));
        Self {
            value: 0.5 * (low.value + high.value),
            low,
            high,
            most: 1.0,
        }
    }

    /// The bounds and the value times a positive factor.
    pub(super) fn times(self, factor: f64) -> Self {
        let scaled = |estimate: Estimate| Estimate {
            value: factor * estimate.value,
            standard_error: estimate.standard_error.map(|error| factor * error),
            ..estimate
        };
        Self {
            value: factor * self.value,
            low: scaled(self.low),
            high: scaled(self.high),
            most: factor * self.most,
        }
    }

    /// The interval that covers the true mean with probability `confidence` at least: from the lower bound minus its half
    /// width to the upper bound plus its half width, each by Student's t, within the possible range. None from a single
    /// probe, or for a confidence outside `(0, 1)`.
    ///
    /// The half width is computed on a logarithmic scale (of the mean at the upper end, of the largest possible value minus
    /// the mean at the lower one), which is wider. A mean that depends on a few eigenvalues has a skew distribution: where it
    /// is too small, so is its spread.
    ///
    /// The interval is conservative: while the bounds differ, it covers more often than the confidence states.
    pub fn interval(&self, confidence: f64) -> Option<(f64, f64)> {
        let beyond = |mean: f64, half: f64| match mean > 0.0 {
            true => mean * (half / mean).exp(),
            false => mean + half,
        };
        let high = beyond(self.high.value, self.high.students_half_width(confidence)?);
        let rest = beyond(
            self.most - self.low.value,
            self.low.students_half_width(confidence)?,
        );
        Some(((self.most - rest).max(0.0), high.min(self.most)))
    }

    /// The larger standard error of the two bounds: the sampling error, without the resolution. None from a single probe.
    pub fn standard_error(&self) -> Option<f64> {
        let (low, high) = (self.low.standard_error?, self.high.standard_error?);
        Some(low.max(high))
    }
}
