//! Paths of low loss between models.
//!
//! Every [`point`](Curve::point) of a [`Curve`], a [`PolygonalChain`] or a [`BezierCurve`], is an ordinary model. A
//! [`CurveFitter`] moves the inner control points so that the loss along the curve is low, and a
//! [`CurveProfileConfig`] measures it. [`model_merge_tree`] says which of several models the measured paths join, and
//! below which loss.

mod barriers;
mod bernstein;
mod bezier_curve;
mod calibration;
mod control_points;
mod curve;
mod curve_fitter;
mod curve_fitter_config;
mod curve_profile;
mod curve_profile_config;
mod elastic_band;
mod elastic_band_config;
mod error;
mod fast_geometric_ensemble;
mod fit_report;
mod fit_step;
mod forces;
mod free_points;
mod garipov_lr_scheduler;
mod gram;
mod insertion;
mod instability;
mod layerwise;
mod model_tree;
mod normalized_point;
mod path_values;
mod polygonal_chain;
mod profile_points;
mod quadrature;
mod rate;
mod simplex;
mod simplex_fitter;
mod time_sampling;

pub use barriers::Barriers;
pub use bezier_curve::BezierCurve;
pub use control_points::ControlPoints;
pub use curve::Curve;
pub use curve_fitter::CurveFitter;
pub use curve_fitter_config::CurveFitterConfig;
pub use curve_profile::CurveProfile;
pub use curve_profile_config::CurveProfileConfig;
pub use elastic_band::ElasticBand;
pub use elastic_band_config::ElasticBandConfig;
pub use error::PathError;
pub use fast_geometric_ensemble::FastGeometricEnsemble;
pub use fit_report::FitReport;
pub use garipov_lr_scheduler::GaripovLrScheduler;
pub use instability::{Instability, InstabilityConfig};
pub use layerwise::{LayerBarrier, LayerwiseBarriers, LayerwiseBarriersConfig};
pub use model_tree::model_merge_tree;
pub use path_values::PathValues;
pub use polygonal_chain::PolygonalChain;
pub use simplex::Simplex;
pub use simplex_fitter::{SimplexFitter, SimplexFitterConfig};
pub use time_sampling::TimeSampling;
