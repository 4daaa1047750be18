//! Sharpness-aware optimizers around any Burn [`ModuleOptimizer`](burn::optim::ModuleOptimizer).
//!
//! One step is *ascent* (where the second gradient is taken) × *descent* (which gradient the base optimizer
//! gets) × base. [`SamConfig`] holds a choice of each part, with presets for the published methods, and
//! [`Sam`] takes the steps. An ascent may come from another crate: [`AscentRule`].
//!
//! Beside them stand ways out of saddles: [`PerturbedGd`], with the smallest eigenvalue of the Hessian as
//! its certificate, and [`SaddleFreeNewton`].

mod base_record;
mod batch_hessian;
mod closure_step;
mod error;
mod evaluation;
#[cfg(feature = "train")]
mod learner;
mod plain;
mod rate;
mod record;
mod report;
mod saddle;
mod sam;
mod swa;
mod ties;

pub use closure_step::ClosureStep;
pub use error::OptimError;
pub use evaluation::{Evaluation, IntoEvaluation};
#[cfg(feature = "train")]
pub use learner::{SamStrategy, StepStart};
pub use record::OptimRecord;
pub use report::{InnerMaximum, SkipReason, StepReport};
pub use saddle::{
    PerturbedGd, PerturbedGdConfig, SaddleFreeNewton, SaddleFreeNewtonConfig, SaddleFreeReport,
    SecondOrderPoint,
};
pub use sam::{
    Ascended, Ascent, AscentContext, AscentDirection, AscentRule, CustomAscent, DescentGradient,
    Metric, Need, Perturbation, RhoGroup, RhoSchedule, Sam, SamConfig,
};
pub use swa::{Swa, SwaConfig};
