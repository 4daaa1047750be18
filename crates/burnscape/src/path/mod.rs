//! Paths of low loss between models.
//!
//! A [`Curve`] is made of models: a [`Segment`], a [`BezierCurve`], a [`PolygonalChain`]. Its
//! [`point`](Curve::point) at any `t` is an ordinary module. A [`CurveFitter`] moves the inner
//! control points to where the loss along the curve is low, and a [`CurveProfileConfig`] measures it.

mod auto_neb;
mod barriers;
mod bernstein;
mod bezier_curve;
mod calibrated_profile;
mod calibration;
mod control_points;
mod curve;
mod curve_fitter;
mod curve_fitter_config;
mod curve_profile;
mod curve_profile_config;
mod elastic_band;
mod error;
mod evaluated;
mod fast_geometric_ensemble;
mod fit_checkpoint;
mod fit_closure;
mod fit_step;
mod forces;
mod garipov_lr_scheduler;
mod gram;
mod instability;
mod layers;
mod layerwise;
mod normalized_point;
mod path_losses;
mod places;
mod polygonal_chain;
mod quadrature;
mod rate;
mod segment;
mod simplex;
mod simplex_fitter;
mod time_sampling;

pub use auto_neb::{AutoNeb, AutoNebConfig};
pub use barriers::Barriers;
pub use bezier_curve::BezierCurve;
pub use calibrated_profile::{CalibratedProfile, CalibratedProfileConfig};
pub use control_points::ControlPoints;
pub use curve::Curve;
pub use curve_fitter::CurveFitter;
pub use curve_fitter_config::CurveFitterConfig;
pub use curve_profile::{CurveProfile, MetricProfile};
pub use curve_profile_config::CurveProfileConfig;
pub use elastic_band::{ElasticBand, ElasticBandConfig};
pub use error::PathError;
pub use fast_geometric_ensemble::FastGeometricEnsemble;
pub use fit_checkpoint::FitCheckpoint;
pub use fit_step::{FitReport, FitStep};
pub use garipov_lr_scheduler::GaripovLrScheduler;
pub use instability::{Instability, InstabilityConfig, InstabilityPoint};
pub use layers::Layers;
pub use layerwise::{LayerBarrier, LayerLosses, LayerwiseBarriers, LayerwiseBarriersConfig};
pub use path_losses::PathLosses;
pub use polygonal_chain::PolygonalChain;
pub use segment::Segment;
pub use simplex::Simplex;
pub use simplex_fitter::{SimplexFitter, SimplexFitterConfig};
pub use time_sampling::TimeSampling;
