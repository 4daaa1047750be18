//! Sharpness-aware training with Burn's `Learner`: equal, bit for bit, to loops written by hand.

mod checkpoints;
#[cfg(feature = "ndarray")]
mod devices;
mod in_step;
mod losses;
mod model;
mod observing;
mod refusals;
mod silent;
mod statistics;
mod steps;
mod tied;
mod training;
