//! Random number streams, one per seed and index.

use rand::SeedableRng;
use rand::rngs::StdRng;

/// The seed of one step (or part, or start) of a seeded process: SplitMix64's finalizer of seed and index.
///
/// Neighboring seeds and indices give unrelated streams.
pub(crate) fn mix(seed: u64, index: u64) -> u64 {
    let mut z = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The random number generator of one step (or part, or start) of a seeded process.
pub(crate) fn stream(seed: u64, index: u64) -> StdRng {
    StdRng::seed_from_u64(mix(seed, index))
}
