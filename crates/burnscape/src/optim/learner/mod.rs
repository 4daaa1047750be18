//! Sharpness-aware steps as a training strategy of Burn's `Learner`.

mod checkpoints;
mod epoch;
mod error;
mod group;
mod oracle;
mod step_start;
mod strategy;

pub use step_start::StepStart;
pub use strategy::SamStrategy;
