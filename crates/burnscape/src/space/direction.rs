//! Random directions from seeds.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{ParamSpace, ParamVector, SpaceError};

/// Random vectors. They are drawn on the host and uploaded, so that a seed gives the same direction on every
/// device, and the random number generator of the device is not used.
impl ParamVector {
    /// Independent standard normal coordinates.
    ///
    /// # Reproducibility
    ///
    /// A `seed` gives the same vector on every device, up to rounding of the element type.
    ///
    /// # Errors
    ///
    /// [`SpaceError::MixedDTypes`].
    pub fn gaussian(space: &ParamSpace, seed: u64) -> Result<Self, SpaceError> {
        let rng = StdRng::seed_from_u64(seed);
        Self::from_numbers(space, StandardNormal.sample_iter(rng))
    }

    /// As [`gaussian`](Self::gaussian), from a faster generator: samplers draw a vector for every gradient.
    pub(crate) fn noise(space: &ParamSpace, seed: u64) -> Result<Self, SpaceError> {
        let rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        Self::from_numbers(space, StandardNormal.sample_iter(rng))
    }

    /// Independent coordinates that are −1 or 1 with equal probability.
    ///
    /// # Errors
    ///
    /// [`SpaceError::MixedDTypes`].
    pub fn rademacher(space: &ParamSpace, seed: u64) -> Result<Self, SpaceError> {
        let mut rng = StdRng::seed_from_u64(seed);
        let sign = || Some(if rng.random::<bool>() { 1.0 } else { -1.0 });
        Self::from_numbers(space, std::iter::from_fn(sign))
    }

    /// A point drawn uniformly from the unit sphere.
    ///
    /// # Errors
    ///
    /// [`SpaceError::MixedDTypes`], [`SpaceError::Device`].
    pub fn sphere(space: &ParamSpace, seed: u64) -> Result<Self, SpaceError> {
        Self::gaussian(space, seed)?.normalize()
    }

    /// A point drawn uniformly from the unit ball: a point of the sphere times `U^(1/n)`.
    ///
    /// # Errors
    ///
    /// [`SpaceError::MixedDTypes`], [`SpaceError::Device`].
    pub fn ball(space: &ParamSpace, seed: u64) -> Result<Self, SpaceError> {
        // Drawn from a separate stream: the radius must not depend on the first coordinate.
        let radius: f64 = StdRng::seed_from_u64(seed ^ 0x9E37_79B9_7F4A_7C15).random();
        Ok(Self::sphere(space, seed)?.scale(radius.powf(1.0 / space.len() as f64)))
    }
}
