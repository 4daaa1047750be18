use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::VectorSpace;

/// A distribution of random vectors with independent coordinates of mean zero and variance one.
///
/// # Reproducibility
///
/// `seed` and `index` determine each vector: the third probe is the same for any number of probes, in any order and on any
/// thread. Numbers are drawn on the host, so that they are the same on every device, to the rounding of its coordinates.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Probe, VectorSpace};
///
/// let v: Vec<f64> = Probe::Rademacher.draw(&100, 7, 0)?;
/// assert_eq!(v.dot(&v)?, 100.0);
/// assert_eq!(v, Probe::Rademacher.draw::<Vec<f64>>(&100, 7, 0)?);
/// assert_ne!(v, Probe::Rademacher.draw::<Vec<f64>>(&100, 7, 1)?);
/// # Ok::<(), burnscape_krylov::KrylovFault>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Probe {
    /// −1 or 1 with equal probability. Traces estimated with it have the least variance.
    Rademacher,
    /// Standard normal, so that the direction is uniform on the sphere.
    Gaussian,
}

impl Probe {
    /// The probe number `index` of the sequence that `seed` determines.
    ///
    /// # Cost
    ///
    /// `dimension` random numbers on the host and their upload.
    ///
    /// # Errors
    ///
    /// The vectors' own.
    pub fn draw<V: VectorSpace>(
        self,
        space: &V::Space,
        seed: u64,
        index: u64,
    ) -> Result<V, V::Error> {
        let mut rng = StdRng::seed_from_u64(mix(seed, index));
        let dimension = V::dimension(space);
        let values: Vec<f64> = match self {
            Self::Rademacher => (0..dimension)
                .map(|_| if rng.random::<bool>() { 1.0 } else { -1.0 })
                .collect(),
            Self::Gaussian => StandardNormal.sample_iter(rng).take(dimension).collect(),
        };
        V::from_host(space, &values)
    }
}

/// SplitMix64's finalizer over both: neighboring seeds and indices give unrelated streams.
fn mix(seed: u64, index: u64) -> u64 {
    let mut z = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
