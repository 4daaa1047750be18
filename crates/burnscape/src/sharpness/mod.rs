//! Sharpness: how much the loss rises around a point of parameter space.
//!
//! Measures that need only losses and gradients at displaced points:
//!
//! | measure | question | cost |
//! |---|---|---|
//! | [`AverageSharpnessConfig`] | how much does random noise of size σ raise the loss on average? | losses |
//! | the same with a fixed length | how is the loss distributed at distance σ? | losses |
//! | [`GrowthExponentsConfig`] | with which power of the distance does the mean rise grow? | losses |
//! | [`WorstCaseSharpnessConfig`] | how much does the worst perturbation in a ball or box raise it? | gradients |
//! | [`BasinVolumeConfig`] | how large is the region in which it rises by little? | losses, or products as well |
//! | [`BitsPerWeightConfig`] | to how few bits can the weights be rounded? | losses |
//! | [`PacBayesSigmaConfig`] | how much noise do the weights tolerate? | losses |
//! | [`McAllesterConfig`] | which bound on the loss on new data follows? | losses |
//!
//! Measures of an operator of [`curvature`](crate::curvature), by products:
//!
//! | measure | definition | operator | cost |
//! |---|---|---|---|
//! | [`FisherRao`] | `⟨w, F w⟩` and its root | Fisher, exact or empirical | one product |
//! | [`RelativeFlatnessConfig`] | `Σ ⟨w_s, w_s'⟩ tr H_ss'`, layer by layer | Hessian | products |
//! | [`CoercivityConfig`] | `\|∇L\|²/s − tr H` along rays: is it refuted that it grows? | Hessian | products |
//! | [`WorstCaseBound`] | a bound of the worst case from above, to second order | Hessian | at most 40 products |
//!
//! For eigenvalues, traces and effective dimensions of an operator, use [`krylov`](crate::krylov) and
//! [`spectrum`](crate::spectrum); in the coordinates of a [`Scale`](crate::space::Scale), apply them to
//! [`hessian.scaled(&model, scale)`](crate::curvature::DiagonallyScaled).
//!
//! [`SharpnessReportConfig`] collects the measures in a table. [`rescale_relu_pair`] makes a model with the same function,
//! and [`SharpnessReport::compare`] shows which measures differ.
//!
//! Most measures are relative to a [`Scale`](crate::space::Scale), the unit of displacements. Numbers in
//! different scales cannot be compared.
//!
//! # Reproducibility
//!
//! Sample `i` depends on the seed and on `i` only: more samples extend a run and leave its
//! first ones unchanged. Two models with the same coordinates use the *same* standard normal vectors (common
//! random numbers), so that differences between models are more accurate than the individual numbers. Directions
//! are drawn on the host, so that devices differ by rounding only. In [`Mode::Train`] dropout adds noise, which
//! depends on the seed of the [risk](crate::loss::Risk::with_draws_seed).
//!
//! [`Mode::Train`]: crate::loss::Mode::Train

mod average_sharpness;
mod bits;
mod coercivity;
mod error;
mod fisher_rao;
mod growth;
mod pac_bayes;
mod relative_flatness;
mod report;
mod rescale;
mod sample;
mod statistics;
mod volume;
mod worst_case_sharpness;

pub use average_sharpness::{AverageSharpness, AverageSharpnessConfig};
pub use bits::{BitsPerWeight, BitsPerWeightConfig};
pub use coercivity::{Coercivity, CoercivityConfig};
pub use error::SharpnessError;
pub use fisher_rao::FisherRao;
pub use growth::{GrowthExponent, GrowthExponents, GrowthExponentsConfig, GrowthPlateau};
pub use pac_bayes::{McAllesterBound, McAllesterConfig, PacBayesSigma, PacBayesSigmaConfig};
pub use relative_flatness::{RelativeFlatness, RelativeFlatnessConfig};
pub use report::{
    SharpnessChange, SharpnessComparison, SharpnessMeasure, SharpnessReport, SharpnessReportConfig,
    SharpnessRow,
};
pub use rescale::rescale_relu_pair;
pub use volume::{BasinVolume, BasinVolumeConfig};
pub use worst_case_sharpness::{
    Region, WorstCaseBound, WorstCaseSharpness, WorstCaseSharpnessConfig,
};
