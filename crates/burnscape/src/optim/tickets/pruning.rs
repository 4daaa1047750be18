//! Masks that prune more than others: the smallest weights, or random ones.

use burn::module::Module;
use rand::seq::SliceRandom;

use super::WeightMask;
use super::bits::Bits;
use crate::optim::OptimError;
use crate::range::ensure;
use crate::space::stream;

/// How many of `num_kept` weights a fraction is: the nearest number, half upwards.
pub(super) fn num_pruned(num_kept: usize, fraction: f64) -> usize {
    (fraction * num_kept as f64).round() as usize
}

impl WeightMask {
    /// The mask without the `fraction` of its kept weights that is smallest in `model`, over all layers together.
    ///
    /// It prunes the nearest whole number to `fraction · num_kept()`, half upwards. Where weights have one size,
    /// those with the lower coordinates go first, in the order of [`ParamSpace`](crate::space::ParamSpace).
    ///
    /// # Errors
    ///
    /// [`OptimError::OutOfRange`] unless `0 ≤ fraction < 1`, [`OptimError::NonFiniteWeight`],
    /// [`OptimError::OtherMask`], [`OptimError::Space`].
    ///
    /// # References
    ///
    /// Han, Pool, Tran, Dally 2015, *Learning both Weights and Connections for Efficient Neural Networks*,
    /// arXiv:1506.02626.
    pub fn without_smallest<M: Module>(
        &self,
        model: &M,
        fraction: f64,
    ) -> Result<Self, OptimError> {
        ensure("fraction", fraction, 0.0..1.0)?;
        let count = num_pruned(self.num_kept(), fraction);
        self.without(&self.weights(model)?, count)
    }

    /// A mask that keeps as many weights in every layer as this one, at random places: the control that tells whether
    /// the places matter, or only how many weights each layer has.
    ///
    /// # Reproducibility
    ///
    /// The places depend on `seed`, and on the number of kept weights and the position of the layer.
    #[must_use]
    pub fn shuffled(&self, seed: u64) -> Self {
        let mut shuffled = self.clone();
        for (index, own) in shuffled.parameters.iter_mut().enumerate() {
            if let Some(kept) = &mut own.kept {
                let count = kept.count();
                let mut bits: Vec<bool> = (0..kept.len()).map(|index| index < count).collect();
                bits.shuffle(&mut stream(seed, index as u64));
                *kept = Bits::from_fn(bits.len(), |index| bits[index]);
            }
        }
        shuffled
    }

    /// The mask without the `count` kept weights that are smallest.
    pub(super) fn without(&self, weights: &[Vec<f64>], count: usize) -> Result<Self, OptimError> {
        let mut kept = Vec::with_capacity(self.num_kept());
        for (parameter, (own, weights)) in self.parameters.iter().zip(weights).enumerate() {
            let Some(bits) = &own.kept else { continue };
            for (index, &value) in weights.iter().enumerate() {
                if !bits.get(index) {
                    continue;
                }
                if !value.is_finite() {
                    let path = own.path.clone();
                    return Err(OptimError::NonFiniteWeight { path, value });
                }
                kept.push((value.abs(), parameter, index));
            }
        }
        if (1..kept.len()).contains(&count) {
            kept.select_nth_unstable_by(count - 1, |one, other| {
                let by_size = one.0.total_cmp(&other.0);
                by_size.then((one.1, one.2).cmp(&(other.1, other.2)))
            });
        }
        let mut pruned = self.clone();
        for &(_, parameter, index) in kept.iter().take(count) {
            if let Some(bits) = &mut pruned.parameters[parameter].kept {
                bits.clear(index);
            }
        }
        Ok(pruned)
    }

    /// Refuses pruned weights that are not zero.
    pub(super) fn check_held(&self, weights: &[Vec<f64>]) -> Result<(), OptimError> {
        for (own, weights) in self.parameters.iter().zip(weights) {
            let Some(bits) = &own.kept else { continue };
            let mut weights = weights.iter().enumerate();
            if let Some((_, &value)) = weights.find(|&(i, &value)| !bits.get(i) && value != 0.0) {
                let path = own.path.clone();
                return Err(OptimError::Revived { path, value });
            }
        }
        Ok(())
    }
}
