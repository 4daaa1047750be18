//! Seeded directions.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::{ParamSpace, ParamVector, SpaceError};

/// Random vectors. All are drawn on the host and uploaded, so that one seed gives one direction on
/// every device and the device's own random stream is left alone.
impl ParamVector {
    /// Independent standard normal coordinates.
    ///
    /// # Reproducibility
    ///
    /// The same `seed` gives the same vector on every device, to the rounding of its element type.
    ///
    /// # Errors
    ///
    /// [`SpaceError::MixedDTypes`].
    pub fn gaussian(space: &ParamSpace, seed: u64) -> Result<Self, SpaceError> {
        let rng = StdRng::seed_from_u64(seed);
        let values: Vec<f64> = StandardNormal.sample_iter(rng).take(space.len()).collect();
        Self::from_host(space, &values)
    }

    /// Independent coordinates, −1 or 1 with equal probability.
    ///
    /// # Errors
    ///
    /// [`SpaceError::MixedDTypes`].
    pub fn rademacher(space: &ParamSpace, seed: u64) -> Result<Self, SpaceError> {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut sign = || if rng.random::<bool>() { 1.0 } else { -1.0 };
        let values: Vec<f64> = (0..space.len()).map(|_| sign()).collect();
        Self::from_host(space, &values)
    }

    /// Uniform on the sphere of radius one.
    ///
    /// # Errors
    ///
    /// [`SpaceError::MixedDTypes`], [`SpaceError::Device`].
    pub fn sphere(space: &ParamSpace, seed: u64) -> Result<Self, SpaceError> {
        Self::gaussian(space, seed)?.normalize()
    }

    /// Uniform in the ball of radius one: a point of the sphere times `U^(1/n)`.
    ///
    /// # Errors
    ///
    /// [`SpaceError::MixedDTypes`], [`SpaceError::Device`].
    pub fn ball(space: &ParamSpace, seed: u64) -> Result<Self, SpaceError> {
        // A stream of its own: the radius must not be a function of the first coordinate.
        let radius: f64 = StdRng::seed_from_u64(seed ^ 0x9E37_79B9_7F4A_7C15).random();
        Ok(Self::sphere(space, seed)?.scale(radius.powf(1.0 / space.len() as f64)))
    }
}
