//! Sharpness-aware steps as a training strategy of Burn's `Learner`.

mod checkpoints;
mod devices;
mod epoch;
mod error;
mod group;
mod optimizer_record;
mod oracle;
mod step_start;
mod step_watcher;
mod strategy;

pub use step_start::StepStart;
pub(crate) use step_watcher::{RecordOf, StepWatcher};
pub use strategy::SamStrategy;
