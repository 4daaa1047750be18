//! Sharpness: how much the loss rises around a point of parameter space.
//!
//! Three measures that need nothing but losses and gradients at displaced points:
//!
//! | measure | question | cost |
//! |---|---|---|
//! | [`AverageRiseConfig`] | what does Gaussian noise of size σ cost on average? | losses |
//! | [`WorstCaseRiseConfig`] | what does the worst displacement in a ρ-ball cost? | gradients |
//! | [`DirectionalDistributionConfig`] | how is the loss distributed at distance ε? | losses |
//!
//! All are measured relative to a [`PerturbationScale`], which decides what a displacement of size
//! one is. Numbers in different scales cannot be compared.
//!
//! # Reproducibility
//!
//! Sample `i` depends on the seed and on `i` only: more samples extend a run and change none of its
//! first ones. Two models with the same coordinates see the *same* standard normal vectors (common
//! random numbers), so differences between models are known better than either number. Directions
//! are drawn on the host, so devices differ by rounding only. In [`Mode::Train`] dropout adds noise
//! of its own, which no seed here controls.
//!
//! [`Mode::Train`]: crate::loss::Mode::Train

mod argument;
mod ascent;
mod average_rise;
mod curvature_trace;
mod directional_distribution;
mod effective_dimension;
mod error;
mod fisher_rao;
mod keskar;
mod lambda_max;
mod metric;
mod pac_bayes;
mod perturbation_scale;
mod product_step;
mod relative_flatness;
mod reparameterization;
mod report;
mod sample;
mod statistics;
mod stretched;
mod worst_case_rise;

pub use average_rise::{AverageRise, AverageRiseConfig};
pub use curvature_trace::{CurvatureTrace, CurvatureTraceConfig, ParameterTrace};
pub use directional_distribution::{DirectionalDistribution, DirectionalDistributionConfig};
pub use effective_dimension::{EffectiveDimension, EffectiveDimensionConfig};
pub use error::SharpnessError;
pub use fisher_rao::{FisherRao, FisherRaoPart, fisher_rao};
pub use keskar::{KeskarConfig, KeskarSharpness};
pub use lambda_max::{LambdaMax, LambdaMaxConfig};
pub use pac_bayes::{
    McAllesterBound, McAllesterConfig, PacBayesSigma, PacBayesSigmaConfig, SigmaStep,
    mcallester_term,
};
pub use perturbation_scale::PerturbationScale;
pub use product_step::ProductStep;
pub use relative_flatness::{LayerFlatness, RelativeFlatness, RelativeFlatnessConfig};
pub use reparameterization::{
    MeasureChange, Reparameterization, ReparameterizationConfig, rescale_relu_pair,
};
pub use report::{Measure, ReportStep, SharpnessReport, SharpnessReportConfig, SharpnessRow};
pub use sample::SampleStep;
pub use stretched::Stretched;
pub use worst_case_rise::{AscentStep, WorstCasePoint, WorstCaseRise, WorstCaseRiseConfig};
