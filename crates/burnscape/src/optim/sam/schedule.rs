use std::ops::Bound;

use burn::config::Config;

use super::Need;
use crate::OutOfRange;
use crate::range::ensure;

/// The radius over a training run.
#[derive(Config, Debug, PartialEq)]
pub enum RhoSchedule {
    /// Always `rho`.
    Constant,
    /// Linear from `rho` to `rho · end` over `steps` steps, constant afterwards.
    Linear {
        /// Last factor.
        end: f64,
        /// Steps until it is reached.
        steps: usize,
    },
    /// Half a cosine from `rho` to `rho · end` over `steps` steps, constant afterwards.
    Cosine {
        /// Last factor.
        end: f64,
        /// Steps until it is reached.
        steps: usize,
    },
    /// With the learning rate: `rho_min + (rho − rho_min)(lr − lr_min)/(lr_max − lr_min)`, between
    /// `rho_min` and `rho` (GSAM's schedule). The rate is the base rate of the step.
    WithLearningRate {
        /// Radius at `lr_min`.
        rho_min: f64,
        /// Smallest rate of the run.
        lr_min: f64,
        /// Largest rate of the run.
        lr_max: f64,
    },
}

impl RhoSchedule {
    pub(super) fn validate(&self) -> Result<(), OutOfRange> {
        match self {
            Self::Constant => Ok(()),
            Self::Linear { end, steps } | Self::Cosine { end, steps } => {
                ensure("end", *end, 0.0..)?;
                ensure("steps", *steps as f64, 1.0..)
            }
            Self::WithLearningRate {
                rho_min,
                lr_min,
                lr_max,
            } => {
                ensure("rho_min", *rho_min, 0.0..)?;
                ensure("lr_min", *lr_min, 0.0..)?;
                ensure(
                    "lr_max",
                    *lr_max,
                    (Bound::Excluded(*lr_min), Bound::Unbounded),
                )
            }
        }
    }

    pub(super) fn needs(&self) -> &'static [Need] {
        match self {
            Self::Constant => &[],
            Self::Linear { .. } | Self::Cosine { .. } => &[Need::Memory],
            Self::WithLearningRate { .. } => &[Need::LearningRate],
        }
    }

    /// The radius at a step, counted from zero.
    pub(super) fn rho(&self, rho: f64, step: usize, lr: f64) -> f64 {
        let progress = |steps: usize| (step as f64 / steps as f64).min(1.0);
        match self {
            Self::Constant => rho,
            Self::Linear { end, steps } => rho * (1.0 + (end - 1.0) * progress(*steps)),
            Self::Cosine { end, steps } => {
                let cosine = (std::f64::consts::PI * progress(*steps)).cos();
                rho * (end + (1.0 - end) * (1.0 + cosine) / 2.0)
            }
            Self::WithLearningRate {
                rho_min,
                lr_min,
                lr_max,
            } => {
                let position = ((lr - lr_min) / (lr_max - lr_min)).clamp(0.0, 1.0);
                rho_min + (rho - rho_min) * position
            }
        }
    }
}
