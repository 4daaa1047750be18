use burnscape_krylov::Estimate;
use serde::{Deserialize, Serialize};
use statrs::function::gamma::ln_gamma;

use super::BasinVolumeConfig;
use crate::writing::number;

/// The fewest effective rays of which a volume is an estimate.
const FEWEST: f64 = 10.0;

/// The least share of effective rays: with fewer, the largest ones of the distribution are likely to be missing.
const LEAST_SHARE: f64 = 0.05;

/// The result of [`BasinVolumeConfig::run`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BasinVolume {
    /// The natural logarithm of the volume. Look at [`is_reliable`](Self::is_reliable) before using it.
    pub log_volume: f64,
    /// The standard error of the volume relative to it, which is that of its logarithm where it is small. Too small
    /// where the volume is not reliable. None for a single ray.
    #[serde(with = "number")]
    pub standard_error: Option<f64>,
    /// The effective number of rays, `(Σ r^d)² / Σ r^2d`: the number of rays if all radii are equal, 1 if one ray has
    /// all of the volume.
    pub effective_rays: f64,
    /// The mean of [`log_volumes`](Self::log_volumes), what a typical ray says. By Jensen's inequality its expected
    /// value is below the logarithm of the volume, far below where radii vary; rare long rays hardly change it.
    pub mean_log_volume: f64,
    /// The standard error of that mean. None for a single ray.
    #[serde(with = "number")]
    pub mean_log_volume_error: Option<f64>,
    /// The logarithm of the volume for the quadratic with the curvature given, where all of it is known and positive.
    /// It is that of the basin if the loss is quadratic and the gradient zero.
    #[serde(with = "number")]
    pub log_volume_quadratic: Option<f64>,
    /// For each ray, in the order drawn, the logarithm of the volume if all rays were as long.
    pub log_volumes: Vec<f64>,
    /// Rays that ended at the largest length, within the basin.
    pub num_unbounded: usize,
    /// Number of parameters `d`; the volume is in units of their `d`-th power.
    pub dimension: usize,
    /// The loss `L(w)`.
    pub base_loss: f64,
    /// Passes over the data, including that for the base loss.
    pub num_losses: usize,
    /// Products with the curvature.
    pub num_matvecs: usize,
    /// The configuration, seed included.
    pub config: BasinVolumeConfig,
    /// False if the observer stopped the measurement: the numbers are those of the rays completed.
    pub completed: bool,
}

impl BasinVolume {
    /// Whether the rays are enough for the volume: at least ten are effective, and 5 % of all.
    ///
    /// Otherwise few rays have nearly all of the volume, and those that have the most were probably not drawn. More
    /// rays help little; units in which radii vary less do, as those of [`run_with_curvature`].
    ///
    /// [`run_with_curvature`]: BasinVolumeConfig::run_with_curvature
    pub fn is_reliable(&self) -> bool {
        let least = LEAST_SHARE * self.log_volumes.len() as f64;
        self.effective_rays >= least.max(FEWEST)
    }
}

/// What rays say together.
pub(super) struct Mean {
    pub(super) log_volume: f64,
    pub(super) standard_error: Option<f64>,
    pub(super) effective_rays: f64,
    pub(super) typical: Estimate,
}

impl Mean {
    /// The mean of volumes of which the logarithms are given, at least one.
    pub(super) fn of(log_volumes: &[f64]) -> Self {
        let count = log_volumes.len() as f64;
        let largest = log_volumes
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        let volumes = log_volumes.iter().map(|value| (value - largest).exp());
        let sum: f64 = volumes.clone().sum();
        let squares: f64 = volumes.map(|volume| volume * volume).sum();
        let effective_rays = sum * sum / squares;
        // The variance of the mean over its square.
        let square = (count / effective_rays - 1.0).max(0.0) / (count - 1.0);
        Self {
            log_volume: largest + (sum / count).ln(),
            standard_error: (count > 1.0).then(|| square.sqrt()),
            effective_rays,
            typical: Estimate::of(log_volumes),
        }
    }
}

/// The logarithm of the volume of the unit ball.
pub(super) fn log_ball(dimension: f64) -> f64 {
    let half = 0.5 * dimension;
    half * std::f64::consts::PI.ln() - ln_gamma(half + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_ball_has_its_volume_in_any_dimension() {
        let pi = std::f64::consts::PI;
        assert!((log_ball(1.0) - 2.0_f64.ln()).abs() < 1e-13);
        let mut exact = pi.ln();
        for dimension in (2..1000).step_by(2) {
            let dimension = f64::from(dimension);
            let found = log_ball(dimension);
            assert!((found - exact).abs() < 1e-13 * (1.0 + exact.abs()) * dimension);
            exact += (2.0 * pi / (dimension + 2.0)).ln();
        }
    }

    #[test]
    fn the_mean_of_volumes_has_the_error_of_the_textbook() {
        let volumes = [1.0_f64, 2.0, 3.0, 4.0];
        let mean = Mean::of(&volumes.map(f64::ln));
        assert!((mean.log_volume - 2.5_f64.ln()).abs() < 1e-14);
        let error = (5.0_f64 / 3.0 / 4.0).sqrt() / 2.5;
        assert!((mean.standard_error.unwrap() - error).abs() < 1e-14);
        assert!((mean.effective_rays - 100.0 / 30.0).abs() < 1e-14);
        assert!((mean.typical.value - 24.0_f64.ln() / 4.0).abs() < 1e-14);
        let one = Mean::of(&[1e6]);
        assert_eq!((one.log_volume, one.effective_rays), (1e6, 1.0));
        assert_eq!(one.standard_error, None);
    }
}
