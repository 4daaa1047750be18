use burn::config::Config;

use super::OptimConfigError;
use super::error::check_range;
use crate::space::{LeafVector, SpaceError};

/// Along which vector the ascent goes.
#[derive(Config, Debug, PartialEq)]
#[non_exhaustive]
pub enum Source {
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

impl Source {
    pub(super) fn validate(&self) -> Result<(), OptimConfigError> {
        match self {
            Self::Gradient => Ok(()),
            Self::Friendly { sigma, momentum } => {
                check_range("sigma", *sigma, "a finite number ≥ 0", |sigma| {
                    sigma >= 0.0
                })?;
                check_range("momentum", *momentum, "a number in [0, 1)", |beta| {
                    (0.0..1.0).contains(&beta)
                })
            }
        }
    }

    /// The ascent direction, from the average as it was before this step.
    pub(super) fn direction(
        &self,
        gradient: &LeafVector,
        average: Option<&LeafVector>,
    ) -> Result<LeafVector, SpaceError> {
        match self {
            Self::Gradient => Ok(gradient.clone()),
            Self::Friendly { sigma, .. } => match average {
                None => gradient.linear(1.0, -sigma, gradient),
                Some(average) => gradient.clone().widen().linear(1.0, -sigma, average),
            },
        }
    }

    /// The average after this step. Always of plain gradients: fed with what the ascent used, it
    /// would settle at half the gradient.
    pub(super) fn average(
        &self,
        gradient: LeafVector,
        average: Option<LeafVector>,
    ) -> Result<Option<LeafVector>, SpaceError> {
        match (self, average) {
            (Self::Gradient, _) => Ok(None),
            // An average over many steps is kept in f32 where the parameters are narrower.
            (Self::Friendly { .. }, None) => Ok(Some(gradient.widen())),
            (Self::Friendly { momentum, .. }, Some(average)) => Ok(Some(average.linear(
                *momentum,
                1.0 - momentum,
                &gradient.widen(),
            )?)),
        }
    }
}
