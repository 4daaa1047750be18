//! Paths of low loss between models.
//!
//! A [`Curve`] is made of models: a [`Segment`], a [`BezierCurve`], a [`PolygonalChain`]. Its
//! [`point`](Curve::point) at any `t` is an ordinary module. A [`CurveFitter`] moves the inner
//! control points to where the loss along the curve is low,
//! and a [`Profiler`] measures it.

mod auto_neb;
mod barriers;
mod bernstein;
mod bezier_curve;
mod calibrated_profile;
mod control_points;
mod curve;
mod curve_fitter;
mod curve_fitter_config;
mod error;
mod fast_geometric_ensemble;
mod fit_checkpoint;
mod fit_closure;
mod fit_step;
mod garipov_lr_scheduler;
mod gram;
mod instability;
mod layerwise;
mod normalized_point;
mod nudged_elastic_band;
mod path_losses;
mod polygonal_chain;
mod profile;
mod profiler;
mod quadrature;
mod segment;
mod simplex;
mod simplex_fitter;
mod time_sampling;

pub use auto_neb::{AutoNeb, AutoNebConfig, auto_neb};
pub use barriers::Barriers;
pub use bezier_curve::BezierCurve;
pub use calibrated_profile::{CalibratedProfile, calibrated_profile};
pub use control_points::ControlPoints;
pub use curve::Curve;
pub use curve_fitter::CurveFitter;
pub use curve_fitter_config::CurveFitterConfig;
pub use error::PathError;
pub use fast_geometric_ensemble::FastGeometricEnsemble;
pub use fit_checkpoint::FitCheckpoint;
pub use fit_step::{FitReport, FitStep};
pub use garipov_lr_scheduler::GaripovLrScheduler;
pub use instability::{Instability, InstabilityConfig, InstabilityPoint, instability_analysis};
pub use layerwise::{LayerBarrier, LayerLosses, Layers, LayerwiseBarriers, layerwise_barriers};
pub use nudged_elastic_band::{Band, BandConfig, nudged_elastic_band};
pub use path_losses::PathLosses;
pub use polygonal_chain::PolygonalChain;
pub use profile::{MetricProfile, Profile};
pub use profiler::{ControlledProfile, Profiler, profile};
pub use segment::Segment;
pub use simplex::Simplex;
pub use simplex_fitter::{SimplexFitter, SimplexFitterConfig, SimplexStep};
pub use time_sampling::TimeSampling;
