use serde::{Deserialize, Serialize};

use crate::sharpness::statistics;

/// With how much more than rounding a rise must be seen.
const NOISE_MARGIN: f64 = 10.0;

/// The exponent between two neighboring radii.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GrowthExponent {
    /// The geometric mean of the two radii.
    pub radius: f64,
    /// `ln(R(r_2) / R(r_1)) / ln(r_2 / r_1)`. None if one of the two rises is not positive, not finite, or less than 10
    /// times the rounding at its radius (see [`roundings`](super::GrowthExponents::roundings)).
    pub exponent: Option<f64>,
    /// Its standard error, by the jackknife: from the exponents without one of the directions each. None with a single
    /// direction, and if a rise is not positive without one.
    pub standard_error: Option<f64>,
}

impl GrowthExponent {
    /// The exponent between two radii, from the rises along the same directions at both, and their rounding.
    pub(super) fn between(radii: [f64; 2], samples: [&[f64]; 2], roundings: [f64; 2]) -> Self {
        let rises = samples.map(statistics::mean);
        let mut both = rises.iter().zip(roundings);
        let is_seen = both.all(|(rise, rounding)| is_seen(*rise, rounding));
        let exponent = exponent(radii, rises).filter(|_| is_seen);
        Self {
            radius: radii[0].sqrt() * radii[1].sqrt(),
            exponent,
            standard_error: exponent.and_then(|_| jackknife(radii, samples)),
        }
    }
}

/// Whether a rise is more than the rounding of losses. One that is NaN is not.
pub(super) fn is_seen(rise: f64, rounding: f64) -> bool {
    rise != 0.0 && rise.abs() >= NOISE_MARGIN * rounding
}

/// The exponent of two positive rises.
fn exponent(radii: [f64; 2], rises: [f64; 2]) -> Option<f64> {
    let is_positive = rises.iter().all(|rise| *rise > 0.0);
    let value = (rises[1] / rises[0]).ln() / (radii[1] / radii[0]).ln();
    (is_positive && value.is_finite()).then_some(value)
}

/// The standard error of the exponent: `√((n − 1)/n Σ (α_i − ᾱ)²)`, `α_i` without direction `i`.
fn jackknife(radii: [f64; 2], samples: [&[f64]; 2]) -> Option<f64> {
    let n = samples[0].len();
    if n < 2 {
        return None;
    }
    let [near, far] = samples.map(means_without_each);
    let pairs = near.into_iter().zip(far);
    let exponents = pairs.map(|(near, far)| exponent(radii, [near, far]));
    let exponents = exponents.collect::<Option<Vec<f64>>>()?;
    let center = statistics::mean(&exponents);
    let squares = exponents.iter().map(|exponent| (exponent - center).powi(2));
    let variance = (n - 1) as f64 / n as f64 * squares.sum::<f64>();
    Some(variance.sqrt())
}

/// For each of two values or more, the mean of the others. No value is subtracted from a sum, which would lose the
/// small ones beside a large one.
fn means_without_each(values: &[f64]) -> Vec<f64> {
    let n = values.len();
    let mut after = vec![0.0_f64; n + 1];
    for (index, value) in values.iter().enumerate().rev() {
        after[index] = after[index + 1] + value;
    }
    let mut before = 0.0_f64;
    let others = values.iter().zip(&after[1..]).map(|(value, after)| {
        let mean = (before + after) / (n - 1) as f64;
        before += value;
        mean
    });
    others.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_value_does_not_hide_small_ones() {
        assert_eq!(means_without_each(&[1.0, 2.0, 6.0]), [4.0, 3.5, 1.5]);
        assert_eq!(means_without_each(&[1e30, 1.0, 3.0])[0], 2.0);
    }

    #[test]
    fn of_two_directions_the_error_is_half_the_difference() {
        // Without either one, the exponents are 1 and 3.
        let found = GrowthExponent::between([1.0, 2.0], [&[1.0, 1.0], &[2.0, 8.0]], [0.0; 2]);
        assert!((found.exponent.unwrap() - 5.0_f64.log2()).abs() < 1e-15);
        assert!((found.standard_error.unwrap() - 1.0).abs() < 1e-15);
        assert_eq!(found.radius, 2.0_f64.sqrt());
        let found = GrowthExponent::between([1.0, 2.0], [&[1.0, -0.5], &[2.0, 8.0]], [0.0; 2]);
        assert!(found.exponent.is_some() && found.standard_error.is_none());
    }

    #[test]
    fn each_rise_has_its_own_rounding() {
        let is_defined = |roundings| {
            let found = GrowthExponent::between([1.0, 2.0], [&[1.0], &[4.0]], roundings);
            found.exponent.is_some()
        };
        assert!(is_defined([0.05, 0.25]));
        assert!(!is_defined([0.05, 0.5]));
        assert!(!is_defined([0.25, 0.25]));
        assert!(!is_defined([0.05, f64::NAN]));
    }
}
