//! The direction of the ascent. Each variant has a file.

mod friendly;

use std::sync::Arc;

use burn::config::Config;

use friendly::Friendly;

use super::part::{AnyPart, Plain, fresh};

/// The vector along which the ascent goes.
#[derive(Config, Debug, PartialEq)]
pub enum AscentDirection {
    /// The gradient of the batch.
    Gradient,
    /// The gradient without its mean over time: `g − sigma m`, with `m` an exponential average of
    /// the plain gradients (Friendly SAM; Li et al. 2024, arXiv:2403.12350). The ascent uses the
    /// old `m`; then `m ← momentum · m + (1 − momentum) g`, and `m = g` at first.
    Friendly {
        /// Share of the average that is removed. The paper's default is 1.
        sigma: f64,
        /// Decay of the average. The paper's default is 0.9.
        momentum: f64,
    },
}

impl AscentDirection {
    /// The implementation, without a past.
    pub(super) fn part(&self) -> Arc<dyn AnyPart> {
        match *self {
            Self::Gradient => fresh(Plain),
            Self::Friendly { sigma, momentum } => fresh(Friendly { sigma, momentum }),
        }
    }
}
