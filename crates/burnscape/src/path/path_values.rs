use serde::{Deserialize, Serialize};

use super::Barriers;
use crate::order_statistics::largest;
use crate::writing::number;

/// The values of a loss or a metric along a path, and their statistics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PathValues {
    /// The column in a table: `train_loss`, `test_loss`, `calibrated_loss`, or the name of a metric.
    pub name: String,
    /// The value at each place.
    pub values: Vec<f64>,
    /// The smallest value; NaN if one of the values is NaN.
    #[serde(with = "number")]
    pub min: f64,
    /// The largest value; NaN if one of the values is NaN.
    #[serde(with = "number")]
    pub max: f64,
    /// The place of the largest value.
    #[serde(with = "number")]
    pub argmax: f64,
    /// `∫ L dt`, by the trapezoidal rule, over the part that was measured.
    #[serde(with = "number")]
    pub mean: f64,
    /// `∫ L dl / ∫ dl`, by the trapezoidal rule over the lengths of the chords: it does not depend on
    /// the parameterization of the curve. For a curve of length zero, the mean.
    #[serde(with = "number")]
    pub length_weighted_mean: f64,
    /// The barrier by each definition; `None` if the profile was stopped.
    pub barriers: Option<Barriers>,
}

impl PathValues {
    /// `times` and cumulative `lengths`, one for each value, of which there is at least one.
    pub(super) fn new(
        name: &str,
        values: Vec<f64>,
        times: &[f64],
        lengths: &[f64],
        completed: bool,
    ) -> Self {
        let max = largest(f64::NEG_INFINITY, values.iter().copied());
        let argmax = times.iter().zip(&values).find(|(_, value)| **value == max);
        let mean = trapezoid(times, &values).unwrap_or(max);
        Self {
            name: name.to_string(),
            min: -largest(f64::NEG_INFINITY, values.iter().map(|value| -value)),
            max,
            argmax: argmax.map_or(f64::NAN, |(t, _)| *t),
            mean,
            length_weighted_mean: trapezoid(lengths, &values).unwrap_or(mean),
            barriers: completed.then(|| Barriers::of(times, &values)).flatten(),
            values,
        }
    }
}

/// The mean of `y` over `x`; `None` if `x` has no extent.
fn trapezoid(x: &[f64], y: &[f64]) -> Option<f64> {
    let extent = x.last()? - x.first()?;
    let areas = x.windows(2).zip(y.windows(2));
    let area: f64 = areas
        .map(|(x, y)| (x[1] - x[0]) * (y[0] + y[1]) / 2.0)
        .sum();
    (extent > 0.0).then(|| area / extent)
}
