use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::blocks;
use crate::OutOfRange;

/// The fewest blocks from which an interval is computed.
const FEWEST_SUMS: usize = 3;
const FEWEST_GROUPS: usize = 4;

/// How a tail index `α` is estimated from samples of one coordinate.
///
/// Both are exact for stable laws. The Gaussian law is that of `α = 2`; for `α < 2`, moments of order `α` and above are
/// infinite. Both estimators read differences `x − x'` of two samples only. For a stable law of any location and skewness
/// these are symmetric stable with the same `α`, so that nothing has to be centered. Centers are a trap: the median of a skew
/// law is far from its mean, and the mean of samples with
/// `α < 2` is too noisy to be subtracted.
///
/// # Precision
///
/// Mean and standard deviation over 1,000 draws of 10,000 samples, and the number of 95 % intervals that hold `α`:
///
/// | law | `Mohammadi { sums_of: 100 }` | held | `LogVariance` | held |
/// |---|---|---|---|---|
/// | stable, `α = 1.5` | 1.502 ± 0.056 | 959 | 1.500 ± 0.022 | 961 |
/// | stable, `α = 1.8` | 1.802 ± 0.065 | 952 | 1.801 ± 0.026 | 951 |
/// | Gaussian | 2.000 ± 0.068 | 948 | 2.000 ± 0.027 | 950 |
///
/// `cargo xtask sweep noise` prints these rows. Laws with a finite variance and heavier tails than the Gaussian (Laplace's, products
/// of Gaussians) also have an index below two, since sums of 100 are not yet Gaussian: **an index below two says that the law is not
/// Gaussian; it does not show that the variance is infinite.** For such laws Mohammadi's estimate tends to two as `sums_of`
/// grows, and for stable laws it stays: compare 10 with 1,000. The log-variance depends on the peak of the law as much as on
/// its tails.
///
/// # Hill's estimator
///
/// It is left out on purpose. The slope of the largest `k` order statistics, `α = k / Σ ln(xᵢ / xₖ₊₁)`, is a finite number
/// for every law, light tails included, and depends on `k`. A Gaussian law has no such slope, and gets a number.
///
/// # References
///
/// Mohammadi, Mohammadpour, Ogata 2015, *On estimating the tail index and the spectral measure of multivariate α-stable
/// distributions*, Metrika 78; Şimşekli, Sagun, Gürbüzbalaban 2019, *A Tail-Index Analysis of Stochastic Gradient Noise in
/// Deep Neural Networks*, arXiv:1901.06053; and against its conclusions Panigrahi, Somani, Goyal, Netrapalli 2019,
/// *Non-Gaussianity of Stochastic Gradient Noise*, arXiv:1910.09626.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TailEstimator {
    /// `1/α = (E ln|Y| − E ln|X|) / ln K` for sums `Y` of `K` samples `X`: sums of stable samples grow like `K^(1/α)`.
    ///
    /// `X` are differences of two samples of a block of `K`, `Y` differences of the sums of two blocks, over up to 64
    /// blocks around each in a random order. Cost: one logarithm per sample and 32 per block.
    Mohammadi {
        /// `K`, from 2 to a third of the samples. More samples in a sum tell tails from peaks; fewer give more sums, and a
        /// smaller interval.
        sums_of: usize,
    },
    /// `Var ln|X| = (π²/6) (1/α² + ½)`, which symmetric stable laws have.
    ///
    /// `X` are the differences of all pairs within groups of 16 samples. It needs 64 samples. Cost: 7.5 logarithms per sample.
    LogVariance,
}

impl TailEstimator {
    /// Refuses samples that are too few.
    pub(super) fn check(self, num_samples: usize) -> Result<(), OutOfRange> {
        match self {
            Self::Mohammadi { sums_of } if sums_of < 2 => {
                let expected = "2 or more; a sum of one sample is the sample, which says nothing";
                Err(OutOfRange::new("sums_of", sums_of as f64, expected))
            }
            Self::Mohammadi { .. } if num_samples < 2 * FEWEST_SUMS => {
                let expected = format!("{} or more of each coordinate", 2 * FEWEST_SUMS);
                let found = num_samples as f64;
                Err(OutOfRange::new("num_samples", found, expected))
            }
            Self::Mohammadi { sums_of } if num_samples / sums_of < FEWEST_SUMS => {
                let most = num_samples / FEWEST_SUMS;
                let expected = format!(
                    "2 to {most}: an interval needs {FEWEST_SUMS} sums, and a coordinate has {num_samples} samples"
                );
                Err(OutOfRange::new("sums_of", sums_of as f64, expected))
            }
            Self::LogVariance if num_samples < FEWEST_GROUPS * blocks::GROUP => {
                let least = FEWEST_GROUPS * blocks::GROUP;
                let expected = format!("{least} or more of each coordinate");
                let found = num_samples as f64;
                Err(OutOfRange::new("num_samples", found, expected))
            }
            Self::Mohammadi { .. } | Self::LogVariance => Ok(()),
        }
    }

    /// Independent blocks of so many samples.
    pub(super) fn num_blocks(self, num_samples: usize) -> usize {
        match self {
            Self::Mohammadi { sums_of } => num_samples / sums_of,
            Self::LogVariance => num_samples / blocks::GROUP,
        }
    }

    /// A number for each block of samples of a coordinate. Their mean estimates `1/α` (Mohammadi) or `1/α²` (log-variance),
    /// and their spread is that of the estimate.
    pub(super) fn block_values(self, samples: &[f64]) -> Vec<f64> {
        match self {
            Self::Mohammadi { sums_of } => blocks::of_sums(samples, sums_of),
            Self::LogVariance => {
                let variances = blocks::of_groups(samples).into_iter();
                variances.map(inverse_of_variance).collect()
            }
        }
    }

    /// The index of what [`block_values`](Self::block_values) estimate. It is infinite where samples vary less than those of
    /// any stable law.
    pub(super) fn alpha(self, inverse: f64) -> f64 {
        if inverse <= 0.0 {
            return f64::INFINITY;
        }
        match self {
            Self::Mohammadi { .. } => inverse.recip(),
            Self::LogVariance => inverse.sqrt().recip(),
        }
    }
}

/// `1/α²` of the variance of the logarithm.
pub(super) fn inverse_of_variance(variance: f64) -> f64 {
    6.0 / (PI * PI) * variance - 0.5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_inverses_and_infinite_for_narrow_laws() {
        let sums = TailEstimator::Mohammadi { sums_of: 10 };
        assert_eq!(sums.alpha(0.5), 2.0);
        assert_eq!(TailEstimator::LogVariance.alpha(0.25), 2.0);
        for estimator in [sums, TailEstimator::LogVariance] {
            assert_eq!(estimator.alpha(0.0), f64::INFINITY);
            assert_eq!(estimator.alpha(-0.1), f64::INFINITY);
        }
        // A Gaussian law: the variance of ln|X| is π²/8.
        assert!((inverse_of_variance(PI * PI / 8.0) - 0.25).abs() < 1e-15);
    }

    #[test]
    fn blocks_are_as_many_as_samples_fill() {
        let sums = TailEstimator::Mohammadi { sums_of: 10 };
        assert_eq!(sums.num_blocks(39), 3);
        assert_eq!(TailEstimator::LogVariance.num_blocks(79), 4);
        assert!(sums.check(30).is_ok() && sums.check(29).is_err());
        assert!(TailEstimator::LogVariance.check(64).is_ok());
        assert!(TailEstimator::LogVariance.check(63).is_err());
    }
}
