use serde::{Deserialize, Serialize};

use super::Barriers;
use crate::writing::number;

/// The losses along a path on one data set, and their statistics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PathLosses {
    /// The loss at each place.
    pub losses: Vec<f64>,
    /// The least of them.
    #[serde(with = "number")]
    pub min: f64,
    /// The largest of them.
    #[serde(with = "number")]
    pub max: f64,
    /// Where the largest is.
    #[serde(with = "number")]
    pub argmax: f64,
    /// `∫ L dt`, by the trapezoidal rule; of the part that was measured.
    #[serde(with = "number")]
    pub mean: f64,
    /// `∫ L dl / ∫ dl`, by the trapezoidal rule over the lengths of the chords: it does not depend on
    /// how fast the curve is run through. For a curve of length zero, the mean.
    #[serde(with = "number")]
    pub length_weighted_mean: f64,
    /// The barrier by each definition; `None` if the profile was stopped.
    pub barriers: Option<Barriers>,
}

impl PathLosses {
    /// `times` and cumulative `lengths`, one for each loss, of which there is at least one.
    pub(super) fn new(times: &[f64], lengths: &[f64], losses: Vec<f64>, completed: bool) -> Self {
        let fold = |f: fn(f64, f64) -> f64| losses.iter().copied().reduce(f).unwrap_or(f64::NAN);
        let max = fold(f64::max);
        let argmax = times.iter().zip(&losses).find(|(_, loss)| **loss == max);
        let mean = trapezoid(times, &losses).unwrap_or(max);
        Self {
            min: fold(f64::min),
            max,
            argmax: argmax.map_or(f64::NAN, |(t, _)| *t),
            mean,
            length_weighted_mean: trapezoid(lengths, &losses).unwrap_or(mean),
            barriers: completed.then(|| Barriers::of(times, &losses)).flatten(),
            losses,
        }
    }
}

/// The mean of `y` over `x`; `None` where `x` has no extent.
fn trapezoid(x: &[f64], y: &[f64]) -> Option<f64> {
    let extent = x.last()? - x.first()?;
    let areas = x.windows(2).zip(y.windows(2));
    let area: f64 = areas
        .map(|(x, y)| (x[1] - x[0]) * (y[0] + y[1]) / 2.0)
        .sum();
    (extent > 0.0).then(|| area / extent)
}
