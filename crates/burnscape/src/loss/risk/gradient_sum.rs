//! Weighted sums of gradients.

use std::collections::BTreeMap;

use crate::loss::Reduction;
use crate::space::{LeafVector, ParamSpace, SpaceError, power_of_two};

/// A weighted sum of the gradients of batches.
///
/// Weights are scaled by the first one, so that a large gradient times many examples stays within the range of the
/// element type. The scale is a power of two, so no digit changes.
pub(super) struct GradientSum {
    reduction: Reduction,
    unit: Option<f64>,
    sum: LeafVector,
}

impl GradientSum {
    pub(super) fn new(reduction: Reduction, space: &ParamSpace) -> Self {
        Self {
            reduction,
            unit: None,
            sum: LeafVector::zeros(space),
        }
    }

    /// Adds the gradient of a batch.
    pub(super) fn add(&mut self, gradient: &LeafVector, weight: f64) -> Result<(), SpaceError> {
        let weight = match self.reduction {
            Reduction::Mean => weight / *self.unit.get_or_insert(power_of_two(weight)),
            Reduction::Sum => 1.0,
        };
        self.sum = self.sum.axpby(1.0, weight, gradient)?;
        Ok(())
    }

    /// Adds the sum of other batches, which may have none.
    pub(super) fn join(&mut self, other: &Self) -> Result<(), SpaceError> {
        let scale = match (self.reduction, other.unit) {
            (Reduction::Sum, _) => 1.0,
            (Reduction::Mean, None) => return Ok(()),
            (Reduction::Mean, Some(unit)) => unit / *self.unit.get_or_insert(unit),
        };
        self.sum = self.sum.axpby(1.0, scale, &other.sum)?;
        Ok(())
    }

    /// The same sum in the space of a copy of the model on another device.
    pub(super) fn on(self, space: &ParamSpace) -> Result<Self, SpaceError> {
        Ok(Self {
            sum: self.sum.on(space)?,
            ..self
        })
    }

    /// Parameters without a gradient in any batch.
    pub(super) fn num_absent(&self) -> usize {
        self.sum.num_absent()
    }

    /// The mean over batches of this total weight, or the sum.
    pub(super) fn total(self, weight: f64) -> LeafVector {
        let scale = match self.reduction {
            Reduction::Mean => self.unit.unwrap_or(1.0) / weight,
            Reduction::Sum => 1.0,
        };
        self.sum.scale(scale)
    }
}

/// A sum of gradients that come in any order and are added in the order of their batches.
pub(super) struct OrderedSum {
    sum: GradientSum,
    next: usize,
    /// The gradients of later batches, with their weights.
    waiting: BTreeMap<usize, (LeafVector, f64)>,
}

impl OrderedSum {
    pub(super) fn new(sum: GradientSum) -> Self {
        Self {
            sum,
            next: 0,
            waiting: BTreeMap::new(),
        }
    }

    pub(super) fn add(
        &mut self,
        batch: usize,
        gradient: LeafVector,
        weight: f64,
    ) -> Result<(), SpaceError> {
        self.waiting.insert(batch, (gradient, weight));
        while let Some((gradient, weight)) = self.waiting.remove(&self.next) {
            self.sum.add(&gradient, weight)?;
            self.next += 1;
        }
        Ok(())
    }

    /// The sum of all gradients; some batches are missing if the pass was stopped.
    pub(super) fn finish(mut self) -> Result<GradientSum, SpaceError> {
        for (gradient, weight) in self.waiting.into_values() {
            self.sum.add(&gradient, weight)?;
        }
        Ok(self.sum)
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::LinearConfig;
    use burn::tensor::Device;

    use super::*;
    use crate::space::ParamVector;

    fn space() -> ParamSpace {
        let model = LinearConfig::new(5, 3).init(&Device::default());
        ParamSpace::of(&model).unwrap()
    }

    fn gradients(space: &ParamSpace) -> Vec<(LeafVector, f64)> {
        let weights = [3.0, 700.0, 0.1, 5.0];
        let gradient = |seed| ParamVector::gaussian(space, seed).unwrap().to_leaves();
        let pairs = weights.into_iter().enumerate();
        pairs
            .map(|(seed, weight)| (gradient(seed as u64), weight))
            .collect()
    }

    fn numbers(sum: GradientSum, weight: f64) -> Vec<f64> {
        let total = ParamVector::from_leaves(&sum.total(weight)).unwrap();
        total.to_host().unwrap()
    }

    fn sum_of(space: &ParamSpace, reduction: Reduction, own: &[(LeafVector, f64)]) -> GradientSum {
        let mut sum = GradientSum::new(reduction, space);
        for (gradient, weight) in own {
            sum.add(gradient, *weight).unwrap();
        }
        sum
    }

    #[test]
    fn gradients_in_any_order_have_the_bits_of_their_batches_in_order() {
        let space = space();
        let own = gradients(&space);
        for reduction in [Reduction::Mean, Reduction::Sum] {
            let expected = numbers(sum_of(&space, reduction, &own), 708.1);
            for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]] {
                let mut sum = OrderedSum::new(GradientSum::new(reduction, &space));
                for batch in order {
                    let (gradient, weight) = own[batch].clone();
                    sum.add(batch, gradient, weight).unwrap();
                }
                assert!(sum.waiting.is_empty());
                assert_eq!(numbers(sum.finish().unwrap(), 708.1), expected);
            }
        }
    }

    #[test]
    fn a_pass_that_was_stopped_has_the_sum_of_what_there_is() {
        let space = space();
        let own = gradients(&space);
        let mut sum = OrderedSum::new(GradientSum::new(Reduction::Mean, &space));
        for batch in [3, 1] {
            let (gradient, weight) = own[batch].clone();
            sum.add(batch, gradient, weight).unwrap();
        }
        let expected = [own[1].clone(), own[3].clone()];
        let expected = sum_of(&space, Reduction::Mean, &expected);
        assert_eq!(
            numbers(sum.finish().unwrap(), 705.0),
            numbers(expected, 705.0)
        );
    }

    #[test]
    fn joined_sums_are_sums_of_all_with_the_units_of_the_first() {
        let space = space();
        let own = gradients(&space);
        for reduction in [Reduction::Mean, Reduction::Sum] {
            let whole = numbers(sum_of(&space, reduction, &own), 708.1);
            let none = sum_of(&space, reduction, &[]);
            let parts = [&own[..1], &own[1..3], &own[3..]];
            let mut joined = GradientSum::new(reduction, &space);
            joined.join(&none).unwrap();
            for part in parts {
                joined.join(&sum_of(&space, reduction, part)).unwrap();
            }
            joined.join(&none).unwrap();
            for (x, y) in numbers(joined, 708.1).iter().zip(&whole) {
                assert!((x - y).abs() < 1e-5 * (1.0 + y.abs()), "{x} {y}");
            }
        }
    }
}
