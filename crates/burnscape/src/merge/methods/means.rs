//! Weighted means, number by number.

use crate::merge::MergeTensor;

/// A weighted mean that runs, so that the mean of equal numbers is that number, to the last bit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mean {
    mean: f64,
    weight: f64,
}

impl Mean {
    /// Weights are zero or more.
    pub(super) fn add(&mut self, value: f64, weight: f64) {
        if weight > 0.0 {
            self.weight += weight;
            let share = weight / self.weight;
            // A difference of zero leaves the sign of a zero alone.
            self.mean = if share < 1.0 {
                self.mean - share * (self.mean - value)
            } else {
                value
            };
        }
    }

    /// `None` if all weights were zero.
    pub(super) fn value(self) -> Option<f64> {
        (self.weight > 0.0).then_some(self.mean)
    }
}

/// `Σ w θ / Σ w`.
pub(super) fn means(tensor: &MergeTensor<'_>) -> Vec<f64> {
    let mut means = Vec::with_capacity(tensor.len());
    tensor.each(|block| {
        for index in 0..block.len() {
            let mut mean = Mean::default();
            for (model, weight) in block.models.iter().zip(tensor.weights()) {
                mean.add(model[index], *weight);
            }
            means.push(mean.value().unwrap_or_default());
        }
    });
    means
}
