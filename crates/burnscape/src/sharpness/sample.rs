use burn::module::Module;

use super::SharpnessError;
use crate::loss::{LossError, Risk};
use crate::space::ParamVector;

/// The seed of sample `index`: a function of the two numbers only, so that asking for more samples
/// changes none of the first.
///
/// Neighboring seeds must not share samples, so the seed is scrambled before the index is added.
pub(super) fn sample_seed(seed: u64, index: usize) -> u64 {
    scramble(scramble(seed).wrapping_add(index as u64))
}

/// The output function of SplitMix64 (Steele, Lea, Flood 2014), a bijection.
fn scramble(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// `L(w + size · displacement)`.
pub(super) fn displaced_loss<M: Module, K>(
    risk: &Risk<'_, M, K>,
    model: &M,
    displacement: &ParamVector,
    size: f64,
    sample: usize,
) -> Result<f64, SharpnessError> {
    let moved = displacement.displace(model, size)?;
    match risk.whole_loss(&moved) {
        Ok(loss) => Ok(loss.value),
        Err(LossError::NonFinite { batch, value }) => Err(SharpnessError::NonFiniteSample {
            sample,
            batch,
            value,
        }),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn neighboring_seeds_share_no_sample() {
        let seeds: HashSet<u64> = (0..20)
            .flat_map(|seed| (0..50).map(move |index| sample_seed(seed, index)))
            .collect();
        assert_eq!(seeds.len(), 20 * 50);
    }
}
