use burnscape_krylov::VectorSpace;
use rand::RngExt;
use rand::rngs::StdRng;

use super::target::Seen;
use crate::OutOfRange;
use crate::posterior::error::converted;
use crate::posterior::{PosteriorError, Potential};

/// Batches that iterations draw, with replacement and with probabilities proportional to their weights.
pub(crate) struct Minibatches {
    per_step: usize,
    /// The sums of the weights up to each batch, over that of all.
    cumulative: Vec<f64>,
    /// `L_b(w₀)`.
    base_losses: Vec<f64>,
}

impl Minibatches {
    pub(crate) fn new(
        per_step: usize,
        weights: &[f64],
        base_losses: Vec<f64>,
    ) -> Result<Self, OutOfRange> {
        if per_step > weights.len() {
            let expected = format!("1 to {}, the batches of the data", weights.len());
            return Err(OutOfRange::new(
                "batches_per_step",
                per_step as f64,
                expected,
            ));
        }
        let is_bad = |weight: &&f64| !(weight.is_finite() && **weight > 0.0);
        if let Some(&weight) = weights.iter().find(is_bad) {
            let expected = "positive, finite weights of batches";
            return Err(OutOfRange::new("batch_weights", weight, expected));
        }
        let total: f64 = weights.iter().sum();
        let sums = weights.iter().scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum / total)
        });
        Ok(Self {
            per_step,
            cumulative: sums.collect(),
            base_losses,
        })
    }

    /// The means of rises and gradients over drawn batches.
    pub(super) fn seen<P: Potential>(
        &self,
        potential: &P,
        at: &P::Vector,
        rng: &mut StdRng,
    ) -> Result<Seen<P::Vector>, PosteriorError> {
        let mut one = || {
            let batch = self.drawn(rng.random());
            let (loss, gradient) = potential.loss_and_gradient(at, Some(batch))?;
            // Batches without a loss at the start do not exist: a record is checked.
            let base = self.base_losses.get(batch).copied().unwrap_or(f64::NAN);
            Ok::<_, PosteriorError>(Seen {
                rise: loss - base,
                gradient,
                passes: self.share(batch),
            })
        };
        let mut sum = one()?;
        for _ in 1..self.per_step {
            let next = one()?;
            sum.rise += next.rise;
            sum.passes += next.passes;
            sum.gradient = converted(sum.gradient.axpy(1.0, &next.gradient))?;
        }
        if self.per_step > 1 {
            let share = (self.per_step as f64).recip();
            sum.rise *= share;
            sum.gradient = sum.gradient.scale(share);
        }
        Ok(sum)
    }

    /// The batch of a uniform number between 0 and 1.
    fn drawn(&self, uniform: f64) -> usize {
        let found = self.cumulative.partition_point(|sum| *sum <= uniform);
        found.min(self.cumulative.len().saturating_sub(1))
    }

    /// A batch's share of the data.
    fn share(&self, batch: usize) -> f64 {
        let sum = |index: usize| self.cumulative.get(index).copied().unwrap_or(0.0);
        match batch {
            0 => sum(0),
            _ => sum(batch) - sum(batch - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_drawn_as_often_as_they_weigh() {
        let minibatches = Minibatches::new(1, &[1.0, 2.0, 5.0], vec![0.0; 3]).unwrap();
        let drawn = |uniform| minibatches.drawn(uniform);
        assert_eq!([0.0, 0.124, 0.125, 0.374].map(drawn), [0, 0, 1, 1]);
        assert_eq!([0.375, 0.999, 1.0].map(drawn), [2, 2, 2]);
        assert_eq!(
            [0, 1, 2].map(|b| minibatches.share(b)),
            [0.125, 0.25, 0.625]
        );
    }

    #[test]
    fn more_batches_than_there_are_and_weights_of_zero_are_refused() {
        let new = |per_step, weights: &[f64]| Minibatches::new(per_step, weights, Vec::new());
        assert!(new(3, &[1.0, 1.0]).is_err());
        assert!(new(1, &[1.0, 0.0]).is_err());
        assert!(new(2, &[1.0, f64::NAN]).is_err());
        assert!(new(2, &[1.0, 1.0]).is_ok());
    }
}
