//! Sharpness-aware steps as a training strategy of Burn's `Learner`.

mod checkpoints;
mod epoch;
mod error;
mod group;
mod oracle;
mod strategy;

pub use strategy::SamStrategy;
