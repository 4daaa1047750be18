//! Weights of batches, and sums with them.

use burn::tensor::Tensor;

use crate::loss::Reduction;
use crate::space::{as_accumulator, power_of_two};

/// How batches are weighted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Weighting {
    /// Like the loss: by the reduction.
    Loss(Reduction),
    /// Not at all, as the rows of a Jacobian.
    None,
}

/// The weights of the batches of a sum, which are added in order.
///
/// They are scaled by the first one, so that a large gradient times many examples stays within the range of the element
/// type. The scale is a power of two, so no digit changes.
#[derive(Debug)]
pub(super) struct Weights {
    is_mean: bool,
    unit: Option<f64>,
    total: f64,
    loss: f64,
    /// The factors before they are divided.
    factors: Vec<f64>,
}

impl Weights {
    pub(super) fn new(weighting: Weighting) -> Self {
        Self {
            is_mean: matches!(weighting, Weighting::Loss(Reduction::Mean)),
            unit: None,
            total: 0.0,
            loss: 0.0,
            factors: Vec::new(),
        }
    }

    /// Adds a batch with its loss, and returns its factor before it is divided by [`divisor`](Self::divisor).
    pub(super) fn add(&mut self, weight: f64, loss: f64) -> f64 {
        let weight = weight / *self.unit.get_or_insert(power_of_two(weight));
        let factor = if self.is_mean { weight } else { 1.0 };
        self.loss += factor * loss;
        self.total += weight;
        self.factors.push(factor);
        factor
    }

    /// What factors are divided by once all batches are known: their sum for a mean.
    pub(super) fn divisor(&self) -> f64 {
        if self.is_mean { self.total } else { 1.0 }
    }

    /// The factors before they are divided, one for each batch.
    pub(super) fn undivided(&self) -> &[f64] {
        &self.factors
    }

    /// The factor of each batch.
    pub(super) fn factors(&self) -> impl Iterator<Item = f64> {
        let divisor = self.divisor();
        self.factors.iter().map(move |factor| factor / divisor)
    }

    /// The weighted sum of the losses.
    pub(super) fn loss(&self) -> f64 {
        self.loss / self.divisor()
    }
}

/// `sum + factor · part`, in f32 for half precision. A part that nothing else holds is overwritten.
pub(super) fn added<const D: usize>(
    sum: Option<Tensor<D>>,
    part: Tensor<D>,
    factor: f64,
) -> Tensor<D> {
    let part = as_accumulator(part);
    let part = if factor == 1.0 { part } else { part * factor };
    match sum {
        Some(sum) => sum + part,
        None => part,
    }
}

/// A sum of vectors with factors. A single vector is scaled once, at the end, and not at all in a mean over one batch.
#[derive(Default)]
pub(super) struct WeightedSum {
    sum: Option<Tensor<1>>,
    factor: f64,
    count: usize,
}

impl WeightedSum {
    pub(super) fn add(&mut self, part: Tensor<1>, factor: f64) {
        self.count += 1;
        self.sum = Some(match self.sum.take() {
            None => {
                self.factor = factor;
                as_accumulator(part)
            }
            Some(first) if self.count == 2 => {
                added(Some(added(None, first, self.factor)), part, factor)
            }
            Some(sum) => added(Some(sum), part, factor),
        });
        if self.count > 1 {
            self.factor = 1.0;
        }
    }

    pub(super) fn divide(&mut self, weight: f64) {
        self.factor /= weight;
    }

    pub(super) fn total(self) -> Option<Tensor<1>> {
        self.sum.map(|sum| added(None, sum, self.factor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_of_a_mean_are_shares_and_those_of_a_sum_are_one() {
        let batches = [(3.0, 1.0), (1.0, 5.0)];
        let found = |weighting| {
            let mut weights = Weights::new(weighting);
            for (weight, loss) in batches {
                weights.add(weight, loss);
            }
            (weights.factors().collect::<Vec<_>>(), weights.loss())
        };
        let mean = found(Weighting::Loss(Reduction::Mean));
        assert_eq!(mean, (vec![0.75, 0.25], 2.0));
        assert_eq!(
            found(Weighting::Loss(Reduction::Sum)),
            (vec![1.0, 1.0], 6.0)
        );
        assert_eq!(found(Weighting::None).0, [1.0, 1.0]);
    }
}
