//! Batches from a part of the data that grows.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

/// The share of the data at the first step.
const FIRST: f64 = 0.2;
/// The part of the steps after which all data are there.
const GROWN: f64 = 0.5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    AtOnce,
    Linear,
    Exponential,
}

impl Pace {
    /// The share of the data that is there after a part of the steps.
    fn share(self, done: f64) -> f64 {
        let grown = (done / GROWN).min(1.0);
        match self {
            Self::AtOnce => 1.0,
            Self::Linear => FIRST + (1.0 - FIRST) * grown,
            Self::Exponential => FIRST.powf(1.0 - grown),
        }
    }
}

/// Draws different examples for each step from those that are there.
pub(super) struct Paced {
    /// In the order in which they come; those that are there move among themselves.
    examples: Vec<usize>,
    pace: Pace,
    steps: usize,
    size: usize,
    rng: StdRng,
}

impl Paced {
    pub(super) fn new(order: Vec<usize>, pace: Pace, [steps, size]: [usize; 2], seed: u64) -> Self {
        Self {
            examples: order,
            pace,
            steps,
            size,
            rng: StdRng::seed_from_u64(seed),
        }
    }

    /// The batch of a step. Steps come in their order.
    pub(super) fn draw(&mut self, step: usize) -> Vec<usize> {
        let count = self.examples.len();
        let share = self.pace.share(step as f64 / self.steps as f64);
        let there = (share * count as f64).round() as usize;
        let there = there.clamp(self.size.min(count), count);
        let (drawn, _) = self.examples[..there].partial_shuffle(&mut self.rng, self.size);
        drawn.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_grow_from_a_fifth_to_all_in_half_of_the_steps() {
        for (pace, shares) in [
            (Pace::AtOnce, [1.0, 1.0, 1.0, 1.0]),
            (Pace::Linear, [0.2, 0.6, 1.0, 1.0]),
            (Pace::Exponential, [0.2, 0.2_f64.sqrt(), 1.0, 1.0]),
        ] {
            let found = [0.0, 0.25, 0.5, 1.0].map(|done| pace.share(done));
            let mut pairs = found.into_iter().zip(shares);
            assert!(pairs.all(|(found, share)| (found - share).abs() < 1e-12));
        }
    }

    #[test]
    fn batches_are_of_different_examples_that_are_there() {
        let order: Vec<usize> = (0..100).rev().collect();
        let mut paced = Paced::new(order, Pace::Linear, [20, 16], 1);
        for step in 0..20 {
            let mut batch = paced.draw(step);
            // Eight more in each of the first ten steps.
            let there = (20 + 8 * step).min(100);
            assert!(batch.iter().all(|example| *example >= 100 - there));
            batch.sort_unstable();
            batch.dedup();
            assert_eq!(batch.len(), 16);
        }
    }

    #[test]
    fn a_part_is_at_least_a_batch() {
        let mut paced = Paced::new((0..40).collect(), Pace::Exponential, [9, 16], 0);
        assert_eq!(paced.draw(0).len(), 16);
    }
}
