use burn::config::Config;
use rand_distr::{Distribution, StandardNormal};

use super::averaged::Averaged;
use super::blocks::mean;
use super::interval::Interval;
use super::samples::{Coordinate, check, order};
use super::{TailEstimator, TailIndex};
use crate::OutOfRange;
use crate::dynamics::{Cost, DynamicsError};
use crate::range::{FRACTION, ensure};
use crate::space::{mix, stream};

/// The streams of the seed.
const ORDER: u64 = 0;
pub(super) const PLACES: u64 = 1;
const NOISE: u64 = 2;

/// What `1/α` of the pooled samples may exceed that of the coordinates by, without a warning.
const POOLED_EXCESS: f64 = 0.05;

/// The tail index `α` of gradient noise, or of other samples, beside that of Gaussian noise.
///
/// Each coordinate is estimated by itself with a [`TailEstimator`], and then the estimates of `1/α` (Mohammadi) or `1/α²`
/// (log-variance) are averaged over the coordinates. Coordinates are never pooled: a mixture of Gaussians with different
/// scales is not Gaussian. Gaussian rows whose coordinates have log-normal scales (`σ = 1.5`) give 1.08 pooled, and each
/// by itself 2. Where pooling would look heavier, a warning states its number and that of its own Gaussian null.
///
/// The same is measured on Gaussian noise with the variances of the coordinates, `null_samples` times. Samples are heavier
/// only if the interval of `α` lies below the interval of that null; Gaussian samples are called heavier in about one of a
/// hundred draws. Heavier samples are not Gaussian, which does not make their variance infinite: see [`TailEstimator`].
///
/// Samples of all coordinates are taken in one random order of the examples. Sums of neighbors would otherwise depend on how
/// the data are sorted, and the noise `gᵢ − ḡ` of a whole batch sums to zero, so that sums of all of it are rounding errors:
/// for centered gradients an estimate from sums over batches was −0.02. Sums here have part of the samples, and are
/// compared with each other instead of with zero.
///
/// # Interval
///
/// Examples are independent, their coordinates are not. Each block of examples (a sum, or a group of 16) has one number,
/// averaged over coordinates, by the jackknife for Mohammadi; the interval is that of the mean of these numbers by
/// Student's law with Hall's correction for skewness, equal-tailed. Many heavy-tailed coordinates that share a factor still
/// need many examples.
///
/// # Units
///
/// `α` has none. It does not depend on the scales and locations of coordinates.
///
/// # Cost
///
/// Besides the gradients, `1 + null_samples` estimates, on the host and on one core. For each of them a logarithm more per
/// sample than [`TailEstimator`] counts, and a normal number. Memory: the samples twice.
///
/// # Reproducibility
///
/// The seed decides the order of the examples, the coordinates, and the Gaussian noise.
///
/// # Defaults
///
/// Confidence 0.95, seed 0, 20 null samples, 64 coordinates of gradients: ours.
///
/// # References
///
/// See [`TailEstimator`].
///
/// # Example
///
/// ```
/// use std::f64::consts::PI;
///
/// use burnscape::dynamics::{TailEstimator, TailIndex, TailIndexConfig};
///
/// // Quantiles of a Cauchy law, which is stable with α = 1.
/// let count = 2_000;
/// let place = |index: usize| (index as f64 + 0.5) / count as f64 - 0.5;
/// let cauchy: Vec<f64> = (0..count).map(|index| (PI * place(index)).tan()).collect();
/// let config = TailIndexConfig::new(TailEstimator::Mohammadi { sums_of: 20 });
/// let index = TailIndex::of(&[cauchy], &config)?;
/// assert!(index.is_heavier && (index.alpha - 1.0).abs() < 0.1);
/// assert!((index.null_alpha - 2.0).abs() < 0.1);
/// println!("{index}"); // The tail index is 1.01 (95 % interval 0.89 to 1.11), …
/// # Ok::<(), burnscape::dynamics::DynamicsError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct TailIndexConfig {
    /// The estimator.
    pub estimator: TailEstimator,
    /// The probability with which an interval covers what it estimates.
    #[config(default = 0.95)]
    pub confidence: f64,
    /// The seed.
    #[config(default = 0)]
    pub seed: u64,
    /// How often Gaussian noise is measured: 2 or more.
    #[config(default = 20)]
    pub null_samples: usize,
    /// The number of coordinates of gradients, chosen at random; all of them if there are fewer.
    #[config(default = 64)]
    pub num_coordinates: usize,
}

impl TailIndexConfig {
    /// Refuses settings out of range.
    pub(super) fn check(&self) -> Result<(), OutOfRange> {
        ensure("confidence", self.confidence, FRACTION)?;
        ensure("null_samples", self.null_samples as f64, 2.0..)?;
        ensure("num_coordinates", self.num_coordinates as f64, 1.0..)
    }

    pub(super) fn index(
        &self,
        coordinates: &[Vec<f64>],
        cost: Cost,
        mut warnings: Vec<String>,
    ) -> Result<TailIndex, DynamicsError> {
        let num_samples = check(coordinates)?;
        self.estimator.check(num_samples)?;
        let order = order(num_samples, mix(self.seed, ORDER));
        let coordinates = coordinates.iter();
        let coordinates: Vec<_> = coordinates.map(|x| Coordinate::of(x, &order)).collect();
        let units = coordinates.iter().map(|coordinate| coordinate.unit);
        let largest = units.fold(0.0, f64::max);
        let new = || Averaged::new(self.estimator, coordinates.len(), num_samples);
        let mut measured = new();
        for coordinate in &coordinates {
            measured.add(&coordinate.samples, coordinate.unit / largest);
        }
        let found = Interval::of_mean(&measured.values, self.confidence);
        if !found.mean.is_finite() {
            let expected = "samples that differ, and sums that differ; take more samples";
            return Err(OutOfRange::new("coordinates", found.mean, expected).into());
        }
        let (mut nulls, mut pooled_nulls) = (Vec::new(), Vec::new());
        for draw in 0..self.null_samples {
            let mut rng = stream(mix(self.seed, NOISE), draw as u64);
            let mut noise = new();
            for coordinate in &coordinates {
                let normal = StandardNormal.sample_iter(&mut rng).take(num_samples);
                let samples: Vec<f64> = normal.map(|z: f64| coordinate.deviation * z).collect();
                noise.add(&samples, coordinate.unit / largest);
            }
            nulls.push(mean(&noise.values));
            pooled_nulls.push(noise.pooled.inverse());
        }
        let null = Interval::of_mean(&nulls, self.confidence);
        let ends = |interval: Interval| {
            let [low, high] = [interval.high, interval.low].map(|x| self.estimator.alpha(x));
            (low, high)
        };
        let index = TailIndex {
            alpha: self.estimator.alpha(found.mean),
            interval: ends(found),
            null_alpha: self.estimator.alpha(null.mean),
            null_interval: ends(null),
            // An interval below another: the inverses are above.
            is_heavier: found.low > null.high,
            num_coordinates: coordinates.len(),
            num_samples,
            num_blocks: measured.values.len(),
            warnings: Vec::new(),
            cost,
            config: self.clone(),
        };
        if coordinates.len() > 1 {
            let pooled = self.estimator.alpha(measured.pooled.inverse());
            let pooled_null = self.estimator.alpha(mean(&pooled_nulls));
            if pooled < index.interval.0 && 1.0 / pooled > 1.0 / index.alpha + POOLED_EXCESS {
                warnings.push(pooled_warning(pooled, pooled_null, &coordinates));
            }
        }
        Ok(TailIndex { warnings, ..index })
    }
}

fn pooled_warning(pooled: f64, null: f64, coordinates: &[Coordinate]) -> String {
    let deviations = || coordinates.iter().map(|x| x.deviation.ln() + x.unit.ln());
    let most = deviations().fold(f64::NEG_INFINITY, f64::max);
    let least = deviations().fold(f64::INFINITY, f64::min);
    format!(
        "pooled, the samples of these {} coordinates would give {pooled:.2}, and Gaussian noise with their variances \
         {null:.2}: pooling mixes scales, here with standard deviations up to {:.1} times as large as others, and sums \
         coordinates of one example, which depend on each other; neither is a tail",
        coordinates.len(),
        (most - least).exp(),
    )
}
