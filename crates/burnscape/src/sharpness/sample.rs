use burn::module::Module;

use super::SharpnessError;
use crate::loss::{LossError, Risk};
use crate::space::{ParamVector, mix};

/// The seed of sample `index`. It depends on the two numbers only, so that more samples leave the first ones unchanged.
///
/// The seed is mixed before the index is added, so that neighboring seeds share no samples.
pub(super) fn sample_seed(seed: u64, index: usize) -> u64 {
    mix(mix(seed, 0).wrapping_add(index as u64), 0)
}

/// `L(w + size · displacement)`.
pub(super) fn displaced_loss<M: Module, K>(
    risk: &Risk<'_, M, K>,
    model: &M,
    displacement: &ParamVector,
    size: f64,
    sample: usize,
) -> Result<f64, SharpnessError> {
    let moved = displacement.perturb(model, size)?;
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
