use std::iter::zip;

use serde::{Deserialize, Serialize};

use super::mean::students_point;
use crate::KrylovFault;
use crate::vector::{exponent, times_power};

/// The straight line of least squares, `y = intercept + slope · x`, with the error of its slope.
///
/// `slope = Σ (x − x̄)(y − ȳ) / Σ (x − x̄)²` and `intercept = ȳ − slope · x̄` for means `x̄` and `ȳ`. Points far from the
/// origin lose no digits, and points of any size do not overflow; a slope beyond the range of `f64` is infinite.
///
/// Errors and intervals hold for a line with independent errors of `y` of one variance, the interval also for normal ones.
/// Repeated runs along one line (a seed at several widths) are not independent: fit a line for each, and take the
/// [mean](crate::Estimate::of) of the slopes.
///
/// # Units
///
/// The slope has those of `y` over those of `x`.
///
/// # Example
///
/// A power law is a line in the logarithms, and its exponent the slope:
///
/// ```
/// use burnscape_krylov::LineFit;
///
/// let powers = [(1.0_f64, 3.0_f64), (2.0, 12.2), (4.0, 47.0), (8.0, 193.0)];
/// let line = LineFit::of(&powers.map(|(x, y)| (x.ln(), y.ln())))?;
/// assert!((line.slope - 2.0).abs() < 0.01);
/// assert!((line.intercept.exp() - 3.0).abs() < 0.02);
/// let interval = line.slope_interval(0.95);
/// assert!(interval.is_some_and(|(low, high)| 1.9 < low && low < 2.0 && 2.0 < high && high < 2.1));
/// # Ok::<(), burnscape_krylov::KrylovFault>(())
/// ```
///
/// # References
///
/// Chan, Golub, LeVeque, *Algorithms for computing the sample variance*, Am. Stat. 37 (1983), for means that are corrected.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LineFit {
    /// By how much `y` rises where `x` rises by one.
    #[serde(with = "crate::number")]
    pub slope: f64,
    /// The height of the line at `x = 0`.
    #[serde(with = "crate::number")]
    pub intercept: f64,
    /// The standard deviation of the slope, `√(Σ r² / ((n − 2) Σ (x − x̄)²))` for the residuals `r` of `n` points; none
    /// for two points, which have no residuals.
    #[serde(with = "crate::number::optional")]
    pub standard_error: Option<f64>,
    /// Number of points.
    pub points: usize,
}

impl LineFit {
    /// The line through points `(x, y)`.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::NoProbes`] for fewer than two points; [`KrylovFault::NonFinitePair`] for a coordinate that is
    /// infinite or NaN; [`KrylovFault::OutOfBounds`] where all points have one `x`.
    pub fn of(points: &[(f64, f64)]) -> Result<Self, KrylovFault> {
        let count = points.len();
        KrylovFault::ensure_enough(("points", count), "a line", 2)?;
        KrylovFault::ensure_finite_pairs(points)?;
        let (xs, ys): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
        if xs.iter().all(|x| *x == xs[0]) {
            return Err(KrylovFault::OutOfBounds {
                name: "x of all points",
                value: xs[0],
                allowed: "points with at least two different ones",
            });
        }
        let [x, y] = [xs, ys].map(|values| Centered::of(&values));
        let squares: f64 = x.offsets.iter().map(|dx| dx * dx).sum();
        let products = zip(&x.offsets, &y.offsets).map(|(dx, dy)| dx * dy);
        let slope = products.sum::<f64>() / squares;
        let residuals = zip(&x.offsets, &y.offsets).map(|(dx, dy)| dy - slope * dx);
        let rest: f64 = residuals.map(|residual| residual * residual).sum();
        let freedom = count - 2;
        let error = (freedom > 0).then(|| (rest / freedom as f64 / squares).sqrt());
        let power = y.power - x.power;
        Ok(Self {
            slope: times_power(slope, power),
            intercept: times_power(y.mean - slope * x.mean, y.power),
            standard_error: error.map(|error| times_power(error, power)),
            points: count,
        })
    }

    /// The ends of Student's interval, which covers the true slope with probability `confidence`. None for two points, or
    /// a confidence outside `(0, 1)`.
    pub fn slope_interval(&self, confidence: f64) -> Option<(f64, f64)> {
        let point = students_point(self.points.checked_sub(2)?, confidence)?;
        let half = point * self.standard_error?;
        Some((self.slope - half, self.slope + half))
    }
}

/// Numbers over a power of two that brings the largest near one, which rounds nothing: squares stay in range.
struct Centered {
    /// The numbers less their mean.
    offsets: Vec<f64>,
    mean: f64,
    power: i32,
}

impl Centered {
    fn of(values: &[f64]) -> Self {
        let largest = values.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        let power = exponent(largest);
        let scaled = values.iter().map(|x| times_power(*x, -power));
        let (mut offsets, mut mean): (Vec<f64>, f64) = (scaled.collect(), 0.0);
        // The second time it is the rounding of the first mean.
        for _ in 0..2 {
            let part = offsets.iter().sum::<f64>() / values.len() as f64;
            for offset in &mut offsets {
                *offset -= part;
            }
            mean += part;
        }
        Self {
            offsets,
            mean,
            power,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINTS: [(f64, f64); 4] = [(-1.5, 2.0), (0.0, 1.0), (2.0, -4.0), (3.5, -3.0)];

    #[test]
    fn points_on_a_line_have_no_error() {
        let line = LineFit::of(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0), (5.0, 11.0)]).unwrap();
        assert_eq!((line.slope, line.intercept), (2.0, 1.0));
        assert_eq!((line.standard_error, line.points), (Some(0.0), 4));
        assert_eq!(line.slope_interval(0.95), Some((2.0, 2.0)));
        // Two points have one, without an error.
        let line = LineFit::of(&[(1.0, 3.0), (3.0, 2.0)]).unwrap();
        assert_eq!((line.slope, line.intercept), (-0.5, 3.5));
        assert_eq!(
            (line.standard_error, line.slope_interval(0.95)),
            (None, None)
        );
    }

    #[test]
    fn the_slope_of_a_line_is_that_of_its_equations() {
        // Σ x = 4, Σ y = −4, Σ x² = 18.5, Σ x y = −21.5 and Σ y² = 30 of four points: the determinant is 4 · 18.5 − 4².
        let line = LineFit::of(&POINTS).unwrap();
        let slope = (4.0 * -21.5 + 16.0) / 58.0;
        assert!((line.slope - slope).abs() < 1e-15, "{}", line.slope);
        let intercept = (-4.0 - 4.0 * slope) / 4.0;
        assert!((line.intercept - intercept).abs() < 1e-15);
        // The sums of squares about the means are 14.5 and 26, that of products −17.5.
        let rest = 26.0 - 17.5 * 17.5 / 14.5;
        let error = (rest / 2.0 / 14.5_f64).sqrt();
        assert!((line.standard_error.unwrap() - error).abs() < 1e-15);
        // With two degrees of freedom, `(2 p − 1) / √(2 p (1 − p))` is Student's point.
        let half = error * 0.95 / (2.0 * 0.975 * 0.025_f64).sqrt();
        let (low, high) = line.slope_interval(0.95).unwrap();
        assert!((low - slope + half).abs() < 1e-9 && (high - slope - half).abs() < 1e-9);
        for confidence in [0.0, 1.0, f64::NAN] {
            assert_eq!(line.slope_interval(confidence), None);
        }
    }

    #[test]
    fn lines_far_from_the_origin_keep_their_digits() {
        let far = |(x, y): (f64, f64)| (x + 2.0_f64.powi(40), y - 2.0_f64.powi(41));
        let [near, moved] = [POINTS, POINTS.map(far)].map(|points| LineFit::of(&points).unwrap());
        assert!((near.slope - moved.slope).abs() < 1e-15);
        let [near, moved] = [near, moved].map(|line| line.standard_error.unwrap());
        assert!((near - moved).abs() < 1e-15);
        // Two neighbors, whose mean is between them.
        let next = 1.0 + f64::EPSILON;
        let line = LineFit::of(&[(1.0, 0.0), (next, 1.0)]).unwrap();
        assert_eq!(line.slope, f64::EPSILON.recip());
    }

    #[test]
    fn lines_have_no_unit() {
        let plain = LineFit::of(&POINTS).unwrap();
        for (x_power, y_power) in [(900, 500), (-900, -500), (1000, 0), (0, -1000), (-40, 980)] {
            let scaled = |(x, y): (f64, f64)| (times_power(x, x_power), times_power(y, y_power));
            let found = LineFit::of(&POINTS.map(scaled)).unwrap();
            let power = y_power - x_power;
            assert_eq!(found.slope, times_power(plain.slope, power));
            assert_eq!(found.intercept, times_power(plain.intercept, y_power));
            let error = times_power(plain.standard_error.unwrap(), power);
            assert_eq!(found.standard_error, Some(error));
        }
        let steep = LineFit::of(&[(0.0, 0.0), (1e-300, 1e300)]).unwrap();
        assert_eq!(steep.slope, f64::INFINITY);
    }
}
