use crate::range::ensure;
use burn::config::Config;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::ops::Bound;

use crate::optim::OptimConfigError;
use crate::space::{LeafVector, mix};

/// Leaves out parameters of the displacement at random: each tensor stays with probability `keep`
/// and is then scaled by `1/keep` (the stochastic weight perturbation of ESAM; Du et al. 2022,
/// arXiv:2110.03141).
#[derive(Config, Debug, PartialEq)]
pub struct Mask {
    /// Probability that a parameter is displaced. The paper's default is 0.6.
    pub keep: f64,
    /// Seed; the mask of step `t` depends on it and on `t` alone.
    pub seed: u64,
}

impl Mask {
    /// Drops the parameters that the step's draw leaves out.
    pub(super) fn apply(&self, vector: LeafVector, step: usize) -> LeafVector {
        let mut rng = StdRng::seed_from_u64(mix(self.seed, step as u64));
        vector.map_all(|_, value| {
            // Drawn for absent leaves too: a mask must not depend on which heads are in use.
            let stays = rng.random_bool(self.keep);
            value.filter(|_| stays)
        })
    }

    pub(super) fn validate(&self) -> Result<(), OptimConfigError> {
        Ok(ensure(
            "keep",
            self.keep,
            (Bound::Excluded(0.0), Bound::Included(1.0)),
        )?)
    }
}
