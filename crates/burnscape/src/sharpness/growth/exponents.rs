use std::io;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::exponent::is_seen;
use super::plateau::runs;
use super::{GrowthExponent, GrowthPlateau};
use crate::range::ensure;
use crate::sharpness::SharpnessError;
use crate::space::Scale;
use crate::writing::{Csv, FormatError, csv, number};

/// By how much the exponent of a quadratic loss may differ from 2.
const QUADRATIC: f64 = 0.1;

/// The result of [`GrowthExponentsConfig::run`](super::GrowthExponentsConfig::run).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GrowthExponents {
    /// The radii, ascending.
    pub radii: Vec<f64>,
    /// The mean rise `R(r)` at each radius: the mean of its samples, NaN if one of them is not finite.
    #[serde(with = "number")]
    pub rises: Vec<f64>,
    /// The standard error of each: the standard deviation of its samples over the root of their number. None with a
    /// single direction, and where the rise is NaN.
    pub standard_errors: Vec<Option<f64>>,
    /// For each radius the rise along every direction, `½ [L(w + r u) + L(w − r u)] − L(w)`, in the order drawn. NaN or
    /// infinite where a loss is.
    #[serde(with = "rows")]
    pub samples: Vec<Vec<f64>>,
    /// The exponents between neighboring radii, one fewer than there are radii.
    pub exponents: Vec<GrowthExponent>,
    /// The radius up to which the loss is quadratic: every exponent from the smallest radius on differs from 2 by at
    /// most 0.1. The smallest radii are passed over as long as their rises are less than 10 times their rounding. None if
    /// the first exponent after them differs by more, or is undefined.
    pub quadratic_until: Option<f64>,
    /// The loss `L(w)`.
    pub base_loss: f64,
    /// For each radius the machine epsilon of the parameters times the largest loss there in magnitude, of all
    /// `|L(w ± r u)|` and `|L(w)|`: smaller rises are rounding. NaN where the rise is.
    #[serde(with = "number")]
    pub roundings: Vec<f64>,
    /// Passes over the data, including that for the base loss.
    pub num_losses: usize,
    /// False if the observer stopped the measurement: the numbers are those of the directions drawn.
    pub completed: bool,
    /// The unit of the radii.
    pub scale: Scale,
    /// The seed of the directions.
    pub seed: u64,
}

impl GrowthExponents {
    /// Ranges of radii over which the loss grows with one power: runs of at least two neighboring exponents that differ
    /// from their mean by at most `tolerance`, in order. The longest run is taken first, then the longest of what is
    /// left on both sides of it.
    ///
    /// A plateau near 2 is a quadratic well; several of them are several scales. An exponent that is not defined ends a
    /// run.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::OutOfRange`] for a tolerance that is negative or not finite.
    pub fn plateaus(&self, tolerance: f64) -> Result<Vec<GrowthPlateau>, SharpnessError> {
        ensure("tolerance", tolerance, 0.0..)?;
        let exponents: Vec<Option<f64>> = self.exponents.iter().map(|e| e.exponent).collect();
        let plateau = |(run, exponent): (Range<usize>, f64)| {
            Some(GrowthPlateau {
                from: *self.radii.get(run.start)?,
                to: *self.radii.get(run.end)?,
                exponent,
            })
        };
        let found = runs(&exponents, tolerance).into_iter();
        Ok(found.filter_map(plateau).collect())
    }
}

/// See [`GrowthExponents::quadratic_until`].
pub(super) fn quadratic_until(
    radii: &[f64],
    rises: &[f64],
    roundings: &[f64],
    exponents: &[GrowthExponent],
) -> Option<f64> {
    // What is not finite is not passed over.
    let is_first = |(rise, rounding): (&f64, &f64)| rise.is_nan() || is_seen(*rise, *rounding);
    let first = rises.iter().zip(roundings).position(is_first)?;
    let is_near_two = |exponent: f64| (exponent - 2.0).abs() <= QUADRATIC;
    let is_quadratic = |found: &&GrowthExponent| found.exponent.is_some_and(is_near_two);
    let seen = exponents.get(first..)?.iter();
    let count = seen.take_while(is_quadratic).count();
    (count > 0).then(|| radii[first + count])
}

impl Csv for GrowthExponents {
    /// The columns `radius,rise,standard_error,exponent,exponent_error`, one line for each radius. An exponent is that
    /// from this radius to the next one. What is not defined is empty.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let header = [
            "radius",
            "rise",
            "standard_error",
            "exponent",
            "exponent_error",
        ];
        let text = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let rises = self
            .radii
            .iter()
            .zip(&self.rises)
            .zip(&self.standard_errors);
        let rows = rises.enumerate().map(|(index, ((radius, rise), error))| {
            let found = self.exponents.get(index);
            [
                radius.to_string(),
                text(Some(*rise).filter(|rise| !rise.is_nan())),
                text(*error),
                text(found.and_then(|found| found.exponent)),
                text(found.and_then(|found| found.standard_error)),
            ]
        });
        Ok(csv(header, rows, writer)?)
    }
}

/// Rows of numbers that may be infinite or NaN.
mod rows {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::writing::number::{Number, Numbers};

    pub(super) fn serialize<S: Serializer>(
        rows: &[Vec<f64>],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(rows.iter().map(|row| row.to_written()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Vec<f64>>, D::Error> {
        let rows = Vec::<Vec<Number>>::deserialize(deserializer)?;
        Ok(rows.into_iter().map(Vec::<f64>::from_written).collect())
    }
}
