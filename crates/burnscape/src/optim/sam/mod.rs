//! Sharpness-aware minimization.
//!
//! A [`SamConfig`] chooses the parts. Each part is a file with its needs, its memory and its formula. `machine` runs a
//! step of them in stages. Five entry points drive it: `optimizer` ([`Sam::step`]), `devices` (on several devices),
//! `ascended` (the step in two halves), `stateless` (inside a `TrainStep`), and the folder `learner` beside this one.

mod ascended;
mod ascent;
mod ascent_scope;
mod ascent_step;
mod batch_oracle;
mod batch_parts;
mod config;
mod descent;
mod devices;
mod direction;

mod edge;
mod group;
mod machine;
mod needs;
mod optimizer;
mod oracle;
mod part;
mod record;
mod scale;
mod schedule;
mod stateless;
mod step;
mod step_draws;
mod step_gradients;

pub use ascended::Ascended;
pub use ascent::{Ascent, AscentContext, AscentRule, CustomAscent, Perturbation};
pub use ascent_scope::AscentScope;
pub use config::SamConfig;
pub use descent::DescentGradient;
#[cfg(feature = "train")]
pub(super) use devices::{DeviceOracles, StepDevices, StepLimit, WaitLimit};
pub use direction::AscentDirection;
pub use group::RhoGroup;
#[cfg(feature = "train")]
pub(super) use machine::SamMachine;
#[cfg(feature = "train")]
pub(super) use needs::EntryPoint;
pub use needs::Need;
pub use optimizer::Sam;
#[cfg(feature = "train")]
pub(super) use oracle::Oracle;
pub use scale::Metric;
pub use schedule::RhoSchedule;
#[cfg(feature = "train")]
pub(super) use step_draws::StepDraws;
use step_gradients::StepGradients;
