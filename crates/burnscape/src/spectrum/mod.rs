//! Eigenvalues of a curvature matrix: how steep the loss is, how flat, and in how many directions it falls.
//!
//! [`Spectrum::of`] takes any symmetric operator over parameters (a
//! [`Hessian`](crate::curvature::Hessian), a [`GaussNewton`](crate::curvature::GaussNewton), a
//! [`Fisher`](crate::curvature::Fisher), sums and shifts of them), with settings that all questions share:
//!
//! | question | result | cost in products |
//! |---|---|---|
//! | the largest and smallest eigenvalues? | [`Eigenpairs`](crate::krylov::Eigenpairs) with true residuals | until converged (reported) |
//! | how are all of them distributed? | [`SpectralDensity`](crate::krylov::SpectralDensity) | probes · steps |
//! | their sum? | [`TraceEstimate`](crate::krylov::TraceEstimate) | until the interval is narrow enough (reported) |
//! | the sum of each layer's? | [`LayerTraces`] | probes |
//! | how many are positive, negative, zero? | [`Inertia`] | parameters, or probes · steps |
//! | how many exceed a size γ? | [`EffectiveDimension`] | probes · steps |
//! | how well is it conditioned? | [`ConditionNumber`] | until converged (reported) |
//! | minimum, saddle, plateau? | [`CriticalPoint`] | steps |
//!
//! [`CriticalPointsConfig`] searches for critical points of a loss, and lists loss and index of each.
//!
//! Every result has its cost and an error, and is written as [`Json`](crate::Json); tables also as
//! [`Csv`](crate::Csv). A block of the matrix (a layer, a group of parameters) is the operator of a
//! [`Risk::with_group`](crate::loss::Risk::with_group). For other settings, and for the diagonal, apply the configs of
//! [`krylov`](crate::krylov) to the operator.
//!
//! # Example
//!
//! ```
//! use burn::nn::{Linear, LinearConfig};
//! use burn::tensor::{Device, Tensor};
//! use burnscape::loss::Risk;
//! use burnscape::spectrum::{Spectrum, PointKind};
//!
//! // L = (x · w)² over two inputs, H = 2 Σ x xᵀ: eigenvalues 2 and 8, at any w.
//! let device = Device::default();
//! let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
//! let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).sum();
//! let data = [Tensor::<2>::from_data([[1.0, 0.0], [0.0, 2.0]], &device)];
//! let hessian = Risk::new(&loss, &data).hessian(&model)?;
//!
//! let spectrum = Spectrum::of(&hessian);
//! assert!((spectrum.top_eigenpairs(1)?.values[0] - 8.0).abs() < 1e-4);
//! assert!((spectrum.trace()?.value - 10.0).abs() < 1e-4);
//! let point = spectrum.critical_point(1e-3)?;
//! assert_eq!(point.kind, PointKind::NotCritical);
//! # Ok::<(), burnscape::curvature::CurvatureError>(())
//! ```

mod answers;
mod condition_number;
mod critical_point;
mod critical_points;
mod effective_dimension;
mod inertia;
mod layer_traces;
mod settings;
mod spectrum_of;
mod tables;

pub use condition_number::ConditionNumber;
pub use critical_point::{CriticalPoint, PointKind};
pub use critical_points::{CriticalPoints, CriticalPointsConfig, FoundPoint};
pub use effective_dimension::EffectiveDimension;
pub use inertia::Inertia;
pub use layer_traces::LayerTraces;
pub use spectrum_of::Spectrum;
