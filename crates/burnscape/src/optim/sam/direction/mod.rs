//! The direction of the ascent. One file a variant.

mod friendly;
mod rule;

use burn::config::Config;

use friendly::Friendly;
pub(super) use rule::{AnyDirection, DirectionRule};

use super::part::Remembering;
use super::plain::Plain;

/// Along which vector the ascent goes.
#[derive(Config, Debug, PartialEq)]
pub enum AscentDirection {
    /// The gradient of the batch.
    Gradient,
    /// The gradient without its mean over time: `g − sigma m`, with `m` an exponential average of
    /// the plain gradients (Friendly SAM; Li et al. 2024, arXiv:2403.12350). The ascent uses the
    /// old `m`; then `m ← momentum · m + (1 − momentum) g`, and `m = g` at first.
    Friendly {
        /// How much of the average is removed. The paper's default is 1.
        sigma: f64,
        /// Decay of the average. The paper's default is 0.9.
        momentum: f64,
    },
}

impl AscentDirection {
    /// The implementation, without a past.
    pub(super) fn part(&self) -> Box<dyn AnyDirection> {
        match *self {
            Self::Gradient => Box::new(Remembering::new(Plain)),
            Self::Friendly { sigma, momentum } => {
                Box::new(Remembering::new(Friendly { sigma, momentum }))
            }
        }
    }
}
