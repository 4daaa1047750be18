//! Sharpness-aware optimizers around any Burn [`ModuleOptimizer`](burn::optim::ModuleOptimizer).
//!
//! One step is *ascent* (where to look) × *combination* (which gradient to hand on) × base. Each
//! factor is an enumeration with one small file; [`SamConfig`] holds a choice of each, with presets
//! for the published methods. [`Sam`] runs them, [`Ascended`] is the state between its two halves.
//!
//! Beside them stand ways out of saddles: [`PerturbedGd`], with the smallest eigenvalue of the Hessian as
//! its certificate ([`LambdaMinConfig`]), and [`SaddleFreeNewton`].

mod aim;
mod ascended;
mod ascent;
mod base_record;
mod batch_hessian;
mod batch_oracle;
mod closure_step;
mod combination;
mod config;
mod core;
mod error;
mod evaluation;
mod lambda_min;
#[cfg(feature = "train")]
mod learner;
mod metric;
mod oracle;
mod perturbed_gd;
mod plain;
mod projected;
mod rate;
mod record;
mod report;
mod resume;
mod rho;
mod saddle_free;
mod sam;
mod sam_record;
mod source;
mod stateless;
mod swa;
mod trust_region;

pub use ascended::Ascended;
pub use ascent::{Ascent, Mask};
pub use closure_step::ClosureStep;
pub use combination::Combination;
pub use config::{SamConfig, Tied};
pub use error::{OptimConfigError, OptimError};
pub use evaluation::{Evaluation, IntoEvaluation};
pub use lambda_min::{LambdaMin, LambdaMinConfig};
#[cfg(feature = "train")]
pub use learner::{SamStrategy, StepStart};
pub use metric::{FisherSquares, Metric};
pub use perturbed_gd::{PerturbedGd, PerturbedGdConfig, SecondOrderPoint};
pub use record::OptimRecord;
pub use report::{InnerMaximum, SkipReason, StepReport, sam_edge};
pub use resume::Resume;
pub use rho::{RhoGroup, RhoSchedule, Window};
pub use saddle_free::{SaddleFreeNewton, SaddleFreeNewtonConfig, SaddleFreeReport};
pub use sam::Sam;
pub use source::Source;
pub use swa::{Swa, SwaConfig};
