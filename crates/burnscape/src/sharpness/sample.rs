use std::ops::ControlFlow;

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

/// Takes `count` samples, or fewer if the observer ends the work. Returns whether all were taken. A stop before the first
/// sample is complete is an error.
pub(super) fn take_samples(
    count: usize,
    mut take: impl FnMut(usize) -> Result<ControlFlow<()>, SharpnessError>,
) -> Result<bool, SharpnessError> {
    for sample in 0..count {
        match take(sample) {
            Err(SharpnessError::Stopped) if sample > 0 => return Ok(false),
            Err(error) => return Err(error),
            Ok(flow) if flow.is_break() => return Ok(sample + 1 == count),
            Ok(_) => {}
        }
    }
    Ok(true)
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
