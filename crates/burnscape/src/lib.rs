//! The geometry of training losses for Burn.
//!
//! # A minute's tour
//!
//! Swap plain gradient descent for a sharpness-aware optimizer, then measure how flat the minimum is:
//!
//! ```
//! use burn::nn::{Linear, LinearConfig};
//! use burn::optim::SgdConfig;
//! use burn::tensor::{Device, Tensor};
//! use burnscape::prelude::*;
//! use burnscape::sharpness::AverageSharpnessConfig;
//!
//! let device = Device::default().autodiff();
//! let mut model = LinearConfig::new(2, 1).init(&device);
//! let data = [(Tensor::<2>::ones([8, 2], &device), Tensor::<2>::zeros([8, 1], &device))];
//! let loss = |m: &Linear, (x, y): (Tensor<2>, Tensor<2>)| {
//!     (m.forward(x) - y).powi_scalar(2).mean()
//! };
//!
//! let mut sam = SamConfig::new().with_rho(0.05).init(SgdConfig::new().init())?;
//! for batch in data.iter().cycle().take(20) {
//!     sam.step(0.1, &mut model, |m: &Linear| loss(m, batch.clone()))?;
//! }
//!
//! let rise = AverageSharpnessConfig::new(0.1).with_seed(1);
//! let rise = rise.run(&Risk::new(&loss, &data), &model)?;
//! // The loss is (w₁ + w₂ + b)², so that the mean rise is σ² · 3.
//! assert!((rise.rise - 0.03).abs() < 4.0 * rise.standard_error.unwrap_or(0.01) + 1e-3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every measurement takes a [`Risk`](loss::Risk), which is a loss over data, and a model:
//!
//! ```
//! # use burn::nn::{Linear, LinearConfig};
//! # use burn::optim::SgdConfig;
//! # use burn::tensor::{Device, Tensor};
//! use burnscape::krylov::{EigenpairsConfig, TraceConfig, Which};
//! use burnscape::path::{BezierCurve, CurveFitterConfig, CurveProfileConfig};
//! use burnscape::prelude::*;
//! use burnscape::sharpness::{AverageSharpnessConfig, SharpnessReportConfig};
//! use burnscape::space::Scale;
//!
//! # let device = Device::default().autodiff();
//! # let [model, other] = [(); 2].map(|()| LinearConfig::new(2, 1).init(&device));
//! # let data = [(Tensor::<2>::ones([8, 2], &device), Tensor::<2>::zeros([8, 1], &device))];
//! # let loss = |m: &Linear, (x, y): (Tensor<2>, Tensor<2>)| {
//! #     (m.forward(x) - y).powi_scalar(2).mean()
//! # };
//! let risk = Risk::new(&loss, &data);
//! let hessian = risk.hessian(&model)?;
//! let top = EigenpairsConfig::new(1, Which::Largest).run(&hessian)?;
//! let relative = hessian.scaled(&model, Scale::ElementRelative)?;
//! let trace = TraceConfig::new().run(&relative)?;
//! let rise = AverageSharpnessConfig::new(0.1).run(&risk, &model)?;
//!
//! let curve = BezierCurve::between(&model, &other, 2)?;
//! let curve = CurveFitterConfig::new(0.1).init(curve, SgdConfig::new().init())?.run(&risk, 5)?;
//! let barriers = CurveProfileConfig::new().run(&risk, &curve)?.barriers();
//! let sharp = SharpnessReportConfig::new().with_num_samples(2).run(&risk, &model)?;
//! println!("{sharp}"); // a table
//! # let _ = (top, trace, rise, barriers);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Modules
//!
//! | module | purpose |
//! |---|---|
//! | [`space`] | a module's trainable parameters as an ordered vector |
//! | [`loss`] | objectives, batches and data sets, and their evaluation with the right weights |
//! | [`optim`] | sharpness-aware optimizers around any Burn optimizer |
//! | [`curvature`] | exact Hessian, Gauss-Newton, Fisher and Jacobian products |
//! | [`spectrum`] | eigenvalues, their density and trace, inertia, critical points |
//! | [`sharpness`] | how much the loss rises near a point |
//! | [`landscape`] | the loss along directions, and its merge tree |
//! | [`path`] | low-loss paths between models |
//! | [`dynamics`] | monitors of a training run: sharpness, edges of stability, gradient noise |
//! | [`posterior`] | samples of the posterior around a model, and the learning coefficient |
//! | [`trajectory`] | the way that training took through parameter space |
//! | [`symmetry`] | changes of a model's weights that leave its function as it is |
//! | [`align`] | one model permuted towards another |
//! | [`merge`] | one model out of several |
//! | `report` (feature `report`) | results as figures, and as one page |
//! | [`guide`] | choosing a method, recipes, migrating from PyTorch |
//!
//! Everything runs on any Burn device: backends come in through Burn's features, and the device of
//! the model chooses.
#![doc(test(attr(deny(warnings))))]

// `#[derive(Batch)]` names the crate, also within it.
extern crate self as burnscape;

pub mod align;
pub mod curvature;
pub mod dynamics;
mod error;
pub mod guide;
pub mod landscape;
pub mod loss;
pub mod merge;
pub mod optim;
mod order_statistics;
pub mod path;
mod path_pattern;
pub mod posterior;
mod range;
#[cfg(test)]
mod reads;
#[cfg(feature = "report")]
pub mod report;
pub mod sharpness;
pub mod space;
pub mod spectrum;
pub mod symmetry;
pub mod trajectory;
mod writing;

/// Matrix-free linear algebra: what operators and vectors can do.
pub use burnscape_krylov as krylov;
/// The engine: programs traced from closures, their exact derivatives, and how they run.
pub use burnscape_linearize as linearize;
/// Figures and pages from plain numbers.
#[cfg(feature = "report")]
pub use burnscape_plot as plot;
/// Merge trees and persistence of landscapes, on grids of any dimension and on graphs.
pub use burnscape_topology as topology;
pub use curvature::hvp;
pub use error::Error;
pub use range::OutOfRange;
pub use writing::{Csv, FormatError, Json};

/// What most programs need.
pub mod prelude {
    pub use crate::krylov::{HasAdjoint, LinearOperator};
    pub use crate::loss::{Batch, DataSet, Mode, Objective, Risk};
    pub use crate::optim::{ClosureStep, SamConfig, StepReport};
    pub use crate::space::{ParamSpace, ParamVector};
    pub use crate::writing::{Csv, Json};
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
