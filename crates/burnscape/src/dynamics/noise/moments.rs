//! The two numbers behind the noise scale, and how far the samples determine them.

use burnscape_krylov::Estimate;

/// Estimates of `tr Σ` and `|G|²`, with the influence of each sample on them.
///
/// The variance of an estimate is `Σ x² / (n (n − 1))` over its influences `x`, which sum to zero, and the covariance
/// of both likewise.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moments {
    pub(super) trace: f64,
    pub(super) square: f64,
    /// On the trace and on the square; empty where the samples are too few for a variance.
    influences: Vec<[f64; 2]>,
    /// Whether the trace is a mean of squared lengths, which is never negative.
    is_spread: bool,
}

impl Moments {
    /// From `n` gradients of `size` examples: `distances` has `dₖ = |gₖ − ḡ|²`, `along` has `cₖ = (gₖ − ḡ)·ḡ`, and
    /// `mean_square` is `|ḡ|²`.
    ///
    /// With `Q = Σ dₖ`, `tr Σ = size Q / (n − 1)` and `|G|² = |ḡ|² − tr Σ / (n size)`. The influences are the
    /// pseudo-values of the delete-one jackknife minus the estimate, `(n − 1) (θ − θ₍ₖ₎)`. Without gradient `k` the
    /// mean is `ḡ − (gₖ − ḡ) / (n − 1)`, so that `Q` becomes `Q − n dₖ / (n − 1)` and `|ḡ|²` becomes
    /// `|ḡ|² − 2 cₖ / (n − 1) + dₖ / (n − 1)²`. This leaves `size wₖ` and `2 (cₖ − wₖ / n)` with
    /// `wₖ = (n dₖ − Q) / (n − 2)`.
    pub(super) fn of_gradients(
        size: usize,
        distances: &[f64],
        along: &[f64],
        mean_square: f64,
    ) -> Self {
        let (count, size) = (distances.len() as f64, size as f64);
        let total: f64 = distances.iter().sum();
        let trace = size * total / (count - 1.0);
        let pairs = distances.iter().zip(along);
        let influences = pairs.map(|(distance, along)| {
            let spread = (count * distance - total) / (count - 2.0);
            [size * spread, 2.0 * (along - spread / count)]
        });
        Self {
            trace,
            square: mean_square - trace / (count * size),
            influences: match distances.len() {
                0..3 => Vec::new(),
                _ => influences.collect(),
            },
            is_spread: true,
        }
    }

    /// From independent pairs of estimates, of which the means are taken.
    pub(super) fn of_pairs(pairs: &[[f64; 2]]) -> Self {
        let count = pairs.len() as f64;
        let mean = |index: usize| pairs.iter().map(|pair| pair[index]).sum::<f64>() / count;
        let (trace, square) = (mean(0), mean(1));
        let influences = pairs.iter().map(|pair| [pair[0] - trace, pair[1] - square]);
        Self {
            trace,
            square,
            influences: match pairs.len() {
                0..2 => Vec::new(),
                _ => influences.collect(),
            },
            is_spread: false,
        }
    }

    /// From the squared norms of gradients at two sizes, a pair for each batch: `[|g_small|², |g_large|²]`.
    ///
    /// `E|g_b|² = |G|² + tr Σ / b`, solved for both.
    pub(super) fn of_sizes([small, large]: [usize; 2], squares: &[[f64; 2]]) -> Self {
        let [small, large] = [small, large].map(|size| size as f64);
        let solved = squares.iter().map(|[of_small, of_large]| {
            [
                (of_small - of_large) / (1.0 / small - 1.0 / large),
                (large * of_large - small * of_small) / (large - small),
            ]
        });
        Self::of_pairs(&solved.collect::<Vec<_>>())
    }

    /// `tr Σ / |G|²`; none unless `|G|²` is positive and `tr Σ` not negative.
    pub(super) fn scale(&self) -> Option<f64> {
        positive_ratio(self.trace, self.square)
    }

    /// The interval of `tr Σ`.
    ///
    /// Few samples that miss the largest ones give a trace and a standard error that are both too small, so Student's
    /// interval fails above. The upper end is that of Johnson's modified t: `t + a (2t² + 1) / 6` standard errors,
    /// where `a` is the skewness of the influences over `√n`. For squared lengths it is at least two relative
    /// standard errors, the value for Gaussian gradients in equal directions (unequal ones are more skew), and the
    /// standard error grows with the estimate, so that neither end is inside Student's interval of the logarithm.
    pub(super) fn trace_interval(&self, confidence: f64) -> Option<(f64, f64)> {
        let t = self.student(confidence)?;
        let parts: Vec<f64> = self.influences.iter().map(|parts| parts[0]).collect();
        let spread = Estimate::of(&parts);
        let error = spread.standard_error?;
        let skewness = spread.skewness / (spread.samples as f64).sqrt();
        let above = |a: f64| self.trace + (t + a * (2.0 * t * t + 1.0) / 6.0) * error;
        if self.is_spread && self.trace > 0.0 {
            let relative = error / self.trace;
            let factor = (t * relative).exp();
            let upper = above(skewness.max(2.0 * relative));
            return Some((self.trace / factor, upper.max(self.trace * factor)));
        }
        let lower = self.trace - t * error;
        Some((lower.max(0.0), above(skewness.max(0.0)).max(0.0)))
    }

    /// Fieller's interval of `tr Σ / |G|²`: the numbers `R` with `(tr Σ − R |G|²)² ≤ t² var(tr Σ − R |G|²)`. Negative
    /// ones are left out. Unless `|G|²` is surely positive the upper end is infinite. None if both estimates are
    /// zero.
    pub(super) fn scale_interval(&self, confidence: f64) -> Option<(f64, f64)> {
        let t = self.student(confidence)?;
        // Squares of the numbers as they are may leave the range of f64.
        let unit = self.trace.abs().max(self.square.abs());
        if unit == 0.0 {
            return None;
        }
        let (trace, square) = (self.trace / unit, self.square / unit);
        let mut sums = [0.0; 3];
        for [x, y] in self.influences.iter().map(|parts| parts.map(|x| x / unit)) {
            for (sum, term) in sums.iter_mut().zip([x * x, x * y, y * y]) {
                *sum += term;
            }
        }
        let count = self.influences.len() as f64;
        let [xx, xy, yy] = sums.map(|sum| t * t * sum / (count * (count - 1.0)));
        // quadratic R² − 2 half R + constant ≤ 0.
        let quadratic = square * square - yy;
        let half = trace * square - xy;
        let constant = trace * trace - xx;
        let root = (half * half - quadratic * constant).max(0.0).sqrt();
        Some(if quadratic > 0.0 && square > 0.0 {
            let ends = [half - root, half + root].map(|end| (end / quadratic).max(0.0));
            (ends[0], ends[1])
        } else if quadratic < 0.0 && constant > 0.0 && trace > 0.0 {
            // One of the two roots is positive.
            ((half - root) / quadratic, f64::INFINITY)
        } else {
            (0.0, f64::INFINITY)
        })
    }

    /// The point that a number of Student's law exceeds in absolute value with probability `1 − confidence`.
    fn student(&self, confidence: f64) -> Option<f64> {
        let unit = Estimate {
            value: 0.0,
            standard_error: Some(1.0),
            skewness: 0.0,
            samples: self.influences.len(),
        };
        unit.half_width(confidence).filter(|t| t.is_finite())
    }
}

/// `x / y`; none unless `y` is positive and `x` not negative.
pub(super) fn positive_ratio(x: f64, y: f64) -> Option<f64> {
    (y > 0.0 && x >= 0.0).then(|| x / y)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gradients with two coordinates, uneven on purpose.
    fn gradients(count: usize) -> Vec<[f64; 2]> {
        let wave = |k: usize| 1.0 + (1.7 * (k * k) as f64).sin();
        (0..count)
            .map(|k| [wave(k), wave(3 * k + 1).powi(3)])
            .collect()
    }

    fn moments(size: usize, gradients: &[[f64; 2]]) -> Moments {
        let count = gradients.len() as f64;
        let mean = [0, 1].map(|i| gradients.iter().map(|g| g[i]).sum::<f64>() / count);
        let away: Vec<[f64; 2]> = gradients
            .iter()
            .map(|g| [g[0] - mean[0], g[1] - mean[1]])
            .collect();
        let dot = |a: &[f64; 2], b: &[f64; 2]| a[0] * b[0] + a[1] * b[1];
        let distances: Vec<f64> = away.iter().map(|e| dot(e, e)).collect();
        let along: Vec<f64> = away.iter().map(|e| dot(e, &mean)).collect();
        Moments::of_gradients(size, &distances, &along, dot(&mean, &mean))
    }

    #[test]
    fn influences_are_pseudo_values_of_the_jackknife() {
        for (count, size) in [(3, 1), (9, 4), (20, 2)] {
            let all = gradients(count);
            let whole = moments(size, &all);
            for (left_out, influence) in whole.influences.iter().enumerate() {
                let mut rest = all.clone();
                rest.remove(left_out);
                let without = moments(size, &rest);
                let times = (count - 1) as f64;
                let expected = [
                    times * (whole.trace - without.trace),
                    times * (whole.square - without.square),
                ];
                for (found, expected) in influence.iter().zip(expected) {
                    assert!((found - expected).abs() < 1e-11 * whole.trace, "{count}");
                }
            }
        }
    }

    #[test]
    fn a_power_of_two_times_the_gradients_leaves_the_scale() {
        let all = gradients(12);
        let large: Vec<[f64; 2]> = all
            .iter()
            .map(|g| g.map(|x| 2.0_f64.powi(300) * x))
            .collect();
        let (one, other) = (moments(3, &all), moments(3, &large));
        assert_eq!(one.scale(), other.scale());
        assert_eq!(one.scale_interval(0.9), other.scale_interval(0.9));
        let (low, high) = one.trace_interval(0.9).unwrap();
        let (other_low, other_high) = other.trace_interval(0.9).unwrap();
        let factor = 2.0_f64.powi(600);
        assert!((factor * low / other_low - 1.0).abs() < 1e-12);
        assert!((factor * high / other_high - 1.0).abs() < 1e-12);
    }

    #[test]
    fn fieller_ends_solve_the_equation_and_may_be_unbounded() {
        let pairs = |square: f64| -> Vec<[f64; 2]> {
            let wave = |k: usize| (2.3 * k as f64).sin();
            (0..10)
                .map(|k| [5.0 + wave(k), square + 0.5 * wave(k + 5)])
                .collect()
        };
        let sure = Moments::of_pairs(&pairs(3.0));
        let (low, high) = sure.scale_interval(0.95).unwrap();
        let scale = sure.scale().unwrap();
        assert!(low < scale && scale < high && high.is_finite());
        let t = sure.student(0.95).unwrap();
        assert!((t - 2.262_157).abs() < 1e-5, "{t}");
        for end in [low, high] {
            let parts = sure.influences.iter();
            let variance: f64 = parts.map(|[x, y]| (x - end * y).powi(2)).sum::<f64>() / 90.0;
            let distance = (sure.trace - end * sure.square).powi(2);
            assert!((distance - t * t * variance).abs() < 1e-9, "{end}");
        }
        let unsure = Moments::of_pairs(&pairs(0.05));
        let (low, high) = unsure.scale_interval(0.95).unwrap();
        assert!(low > 1.0 && high == f64::INFINITY);
        let negative = Moments::of_pairs(&pairs(-3.0));
        assert_eq!(negative.scale(), None);
        let (_, high) = negative.scale_interval(0.95).unwrap();
        assert_eq!(high, f64::INFINITY);
    }

    #[test]
    fn too_few_samples_have_no_interval() {
        for few in [moments(1, &gradients(2)), Moments::of_pairs(&[[1.0, 2.0]])] {
            assert!(few.trace_interval(0.95).is_none() && few.scale_interval(0.95).is_none());
        }
        let zeros = moments(1, &[[0.0, 0.0]; 4]);
        assert_eq!(zeros.trace_interval(0.95), Some((0.0, 0.0)));
        assert_eq!((zeros.scale(), zeros.scale_interval(0.95)), (None, None));
    }

    #[test]
    fn two_sizes_solve_for_both_numbers() {
        // |G|² = 3 and tr Σ = 8: 3 + 8/2 and 3 + 8/16.
        let found = Moments::of_sizes([2, 16], &[[7.0, 3.5]]);
        assert!((found.trace - 8.0).abs() < 1e-14 && (found.square - 3.0).abs() < 1e-14);
    }
}
