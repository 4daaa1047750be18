//! Sharpness-aware optimizers around any Burn [`ModuleOptimizer`](burn::optim::ModuleOptimizer).
//!
//! A step has three parts: the *ascent* (where the second gradient is taken), the *descent* (the gradient for the base
//! optimizer) and the base. [`SamConfig`] chooses them, with presets for the published methods, and [`Sam`] takes the
//! steps. An ascent may be defined in another crate: [`AscentRule`].
//!
//! Three other optimizers escape saddles: [`PerturbedGd`], with the smallest eigenvalue of the Hessian as its
//! certificate, [`SaddleFreeNewton`], and [`TrustRegionNewton`]. [`Swa`] averages weights.
//! [`RandomSubspaceConfig`] trains in a random subspace with any of them, and [`IntrinsicDimensionConfig`] finds the
//! smallest one that is enough.
//!
//! [`MaskedOptimizer`] trains some of the weights only, those of a [`WeightMask`], with any of these optimizers.
//! [`TicketSearchConfig`] searches for masks under which a model still learns, and trains the controls.
//! [`ProjectedOptimizer`] takes away, or shrinks, what gradients have inside the span of some directions or outside of it.

mod base_record;
mod batch_hessian;
mod closure_step;
mod error;
mod evaluation;
#[cfg(feature = "train")]
mod learner;
mod plain;
mod projected_optimizer;
mod rate;
pub(crate) mod record;
mod report;
mod saddle;
mod sam;
mod subspace;
mod swa;
mod tickets;
mod ties;
mod trust_region_newton;

pub use closure_step::ClosureStep;
pub use error::OptimError;
pub use evaluation::{Evaluation, IntoEvaluation};
#[cfg(feature = "train")]
pub(crate) use learner::{RecordOf, StepWatcher};
#[cfg(feature = "train")]
pub use learner::{SamStrategy, StepStart};
pub use projected_optimizer::ProjectedOptimizer;
pub use record::OptimRecord;
pub use report::{InnerMaximum, SkipReason, StepReport};
pub use saddle::{
    PerturbedGd, PerturbedGdConfig, SaddleFreeNewton, SaddleFreeNewtonConfig, SaddleFreeReport,
    SecondOrderPoint,
};
pub use sam::{
    Ascended, Ascent, AscentContext, AscentDirection, AscentRule, AscentScope, CustomAscent,
    DescentGradient, Metric, Need, Perturbation, RhoGroup, RhoSchedule, Sam, SamConfig,
};
pub use subspace::{
    IntrinsicDimension, IntrinsicDimensionConfig, RandomSubspaceConfig, SubspaceOptimizer,
};
pub use swa::{Swa, SwaConfig};
pub use tickets::{
    MaskedOptimizer, TicketLevel, TicketScores, TicketSearch, TicketSearchConfig, WeightMask,
};
pub use trust_region_newton::{TrustRegionNewton, TrustRegionNewtonConfig, TrustRegionReport};
