//! Posteriors around a trained model, `p(w) ∝ exp(−nβ L(w) − γ/2 |w − w₀|²)`, and what they say about it: the local
//! learning coefficient, with its bias.
//!
//! How many parameters does a model use? Over the posterior, `nβ` times the rise of the loss, `E[L(w)] − L(w₀)`, is
//! half their number at a regular minimum, and less at a singular one: that is the learning coefficient `λ`. It is
//! estimated from the draws of Markov chains. The number means nothing where `w₀` is no minimum, where the localizer or
//! the step of a sampler decides it, and where chains are too short. [`LearningCoefficientConfig`] finds this out, and
//! refuses or warns with the numbers that decided.
//!
//! | | |
//! |---|---|
//! | [`LearningCoefficientConfig`] | the learning coefficient, checked; a [monitor](crate::dynamics::Monitor) |
//! | [`TemperatureLadderConfig`] | the same from several temperatures, without the loss of the minimum |
//! | [`StagesConfig`] | the stages of a training run: when its learning coefficient changes |
//! | [`PosteriorConfig`] | the draws themselves, by a [`Sampler`] |
//! | [`ChainDiagnostics`] | effective draws, standard error and `R̂` of any chains |
//! | [`Potential`] | functions of your own, in place of a [`Risk`](crate::loss::Risk) |
//!
//! Learning coefficients of different `nβ`, `γ` or, for samplers that are not exact, steps cannot be compared.

mod chain;
mod coefficient;
mod config;
mod diagnostics;
mod digits;
mod draws;
mod error;
mod potential;
mod record;
mod risk_potential;
mod run;
mod sampler;
mod stages;
mod temperatures;
mod tuning;
mod workers;

pub use coefficient::{Finding, LearningCoefficient, LearningCoefficientConfig, Thresholds};
pub use config::PosteriorConfig;
pub use diagnostics::ChainDiagnostics;
pub use draws::Posterior;
pub use error::PosteriorError;
pub use potential::Potential;
pub use record::PosteriorRecord;
pub use risk_potential::RiskPotential;
pub use sampler::Sampler;
pub use stages::{Knot, Stage, Stages, StagesConfig};
pub use temperatures::{
    TemperatureLadder, TemperatureLadderConfig, TemperatureLaw, TemperatureRung,
};
