//! Sharpness-aware minimization.
//!
//! A [`SamConfig`] chooses the parts; each says what it needs, what it remembers, and its formula, in a file of
//! its own. `machine` runs a step of them in stages. Four entry points drive it: `optimizer`
//! ([`Sam::step`]), `ascended` (the step in two halves), `stateless` (inside a `TrainStep`), and the `learner`
//! beside this folder.

mod ascended;
mod ascent;
mod ascent_step;
mod batch_oracle;
mod config;
mod descent;
mod direction;
mod group;
mod machine;
mod mask;
mod needs;
mod optimizer;
mod oracle;
mod part;
mod plain;
mod record;
mod scale;
mod schedule;
mod stateless;
mod step;
mod step_gradients;

pub use ascended::Ascended;
pub use ascent::{Ascent, AscentContext, AscentRule, CustomAscent, Perturbation};
pub use config::{SamConfig, TiedParameters};
pub use descent::DescentGradient;
pub use direction::AscentDirection;
pub use group::RhoGroup;
#[cfg(feature = "train")]
pub(super) use machine::{SamMachine, takes_back_statistics};
pub use mask::Mask;
#[cfg(feature = "train")]
pub(super) use needs::Door;
pub use needs::Need;
pub use optimizer::Sam;
#[cfg(feature = "train")]
pub(super) use oracle::Oracle;
pub use part::{PartMemory, SamPart};
pub use scale::{FisherSquares, Metric};
pub use schedule::{ActiveSteps, RhoSchedule};
pub use step_gradients::StepGradients;
