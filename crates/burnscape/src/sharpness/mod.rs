//! Sharpness: how much the loss rises around a point of parameter space.
//!
//! Measures that need nothing but losses and gradients at displaced points:
//!
//! | measure | question | cost |
//! |---|---|---|
//! | [`AverageSharpnessConfig`] | what does Gaussian noise of size σ cost on average? | losses |
//! | [`WorstCaseSharpnessConfig`] | what does the worst displacement in a ρ-ball cost? | gradients |
//! | [`KeskarConfig`] | the same in a box, in percent of one plus the loss; a bound from above | gradients; products |
//! | [`DirectionalDistributionConfig`] | how is the loss distributed at distance ε? | losses |
//! | [`PacBayesSigmaConfig`] | how much noise do the weights bear? | losses |
//! | [`McAllesterConfig`] | what does that say about the loss on new data? | losses |
//!
//! Measures of an operator of [`curvature`](crate::curvature), by products:
//!
//! | measure | definition | operator | cost |
//! |---|---|---|---|
//! | [`fisher_rao()`] | `⟨w, F w⟩` and its root | Fisher, exact or empirical | one product |
//! | [`RelativeFlatnessConfig`] | `Σ ⟨w_s, w_s'⟩ tr H_ss'`, layer by layer | Hessian | products |
//!
//! Eigenvalues, traces and effective dimensions are questions to an operator: [`krylov`](crate::krylov) and
//! [`spectrum`](crate::spectrum) answer them, in the coordinates of a [`Scale`](crate::space::Scale) for
//! [`hessian.scaled(&model, scale)`](crate::curvature::DiagonallyScaled).
//!
//! [`SharpnessReportConfig`] takes them all in one call and makes a table; [`ReparameterizationConfig`]
//! says which of them see a rescaling of ReLU layers that the function does not.
//!
//! Most are measured relative to a [`Scale`](crate::space::Scale), which decides what a displacement of size
//! one is; [`DiagonallyScaled`](crate::curvature::DiagonallyScaled) is an operator in its coordinates, `C = diag(c)` in the table. Numbers in
//! different scales cannot be compared.
//!
//! # Reproducibility
//!
//! Sample `i` depends on the seed and on `i` only: more samples extend a run and change none of its
//! first ones. Two models with the same coordinates see the *same* standard normal vectors (common
//! random numbers), so differences between models are known better than either number. Directions
//! are drawn on the host, so devices differ by rounding only. In [`Mode::Train`] dropout adds noise
//! of its own, by the seed of the [risk](crate::loss::Risk::with_draws_seed).
//!
//! [`Mode::Train`]: crate::loss::Mode::Train

mod argument;
mod ascent;
mod average_sharpness;
mod corners;
mod directional_distribution;
mod error;
mod fisher_rao;
mod keskar;
mod keskar_bound;
mod pac_bayes;
mod relative_flatness;
mod reparameterization;
mod report;
mod sample;
mod statistics;
mod worst_case_sharpness;

pub use average_sharpness::{AverageSharpness, AverageSharpnessConfig};
pub use directional_distribution::{DirectionalDistribution, DirectionalDistributionConfig};
pub use error::SharpnessError;
pub use fisher_rao::{FisherRao, FisherRaoPart, fisher_rao};
pub use keskar::{KeskarConfig, KeskarSharpness};
pub use keskar_bound::KeskarBound;
pub use pac_bayes::{
    McAllesterBound, McAllesterConfig, PacBayesSigma, PacBayesSigmaConfig, SigmaStep,
    mcallester_term,
};
pub use relative_flatness::{LayerFlatness, RelativeFlatness, RelativeFlatnessConfig};
pub use reparameterization::{
    MeasureChange, Reparameterization, ReparameterizationConfig, rescale_relu_pair,
};
pub use report::{Measure, SharpnessReport, SharpnessReportConfig, SharpnessRow};
pub use worst_case_sharpness::{WorstCasePoint, WorstCaseSharpness, WorstCaseSharpnessConfig};
