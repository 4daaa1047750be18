//! Merging: one model out of several.
//!
//! Models of one architecture that are close to each other, or [aligned](crate::align), can be averaged into one that is
//! as good as each of them or better. No training is needed.
//!
//! | task | function or type |
//! |---|---|
//! | the mean of models | [`average`], [`weighted`] |
//! | a model between two | [`interpolate`], [`slerp`] |
//! | the mean along a training run | [`Swa`](crate::optim::Swa) |
//! | running statistics that fit the merged weights | [`NormalizationPolicy::normalize`](crate::loss::NormalizationPolicy::normalize) |
//! | units that vary as they did before | [`RepairConfig`]; watched and stopped, [`Repair`] |
//!
//! Models match by path. Shapes, element types and ties must be the same, and all numbers finite: the first parameter
//! for which that does not hold is named. Merged models keep the context of the first model: autodiff, what is frozen,
//! flags and ties. The models themselves do not change.
//!
//! # Running statistics
//!
//! The statistics of a normalization fit the weights before it. Those of merged weights are others, so that means of
//! statistics are only a start: set them with
//! [`NormalizationPolicy::normalize`](crate::loss::NormalizationPolicy::normalize), which refuses batches that have no
//! variance. A [repair](RepairConfig) also corrects them, with a gain and shift for each channel.
//!
//! # Example
//!
//! ```
//! use burn::module::Module;
//! use burn::nn::{Linear, LinearConfig};
//! use burn::tensor::activation::relu;
//! use burn::tensor::{Device, Distribution, Tensor};
//! use burnscape::align::WeightMatchingConfig;
//! use burnscape::merge::{RepairConfig, average};
//! use burnscape::symmetry::SymmetriesConfig;
//!
//! #[derive(Module, Debug)]
//! struct Mlp {
//!     first: Linear,
//!     second: Linear,
//! }
//!
//! let device = Device::default();
//! let model = || Mlp {
//!     first: LinearConfig::new(4, 8).init(&device),
//!     second: LinearConfig::new(8, 2).init(&device),
//! };
//! let (a, b) = (model(), model()); // in practice trained on the same data
//! let outputs = |m: &Mlp, x: &Tensor<2>| m.second.forward(relu(m.first.forward(x.clone())));
//! let x = Tensor::<2>::random([64, 4], Distribution::Default, &device);
//!
//! let symmetries = SymmetriesConfig::new().run(&outputs, &a, x.clone())?;
//! let b = WeightMatchingConfig::new().run(&symmetries, &a, &b)?.model;
//! let merged = average(&[&a, &b])?;
//! let repaired = RepairConfig::new().run(&outputs, &[x.clone()], &a, &b, &merged, 0.5)?;
//!
//! let layer = &repaired.report.layers[0];
//! assert_eq!(layer.scale, ["first.weight"]);
//! assert!(layer.deviation_ratio < 1.0); // before the repair
//! // The deviation of each hidden unit is now the mean of those of `a` and `b`.
//! let deviation = |m: &Mlp| m.first.forward(x.clone()).var_bias(0).sqrt();
//! let expected = (deviation(&a) + deviation(&b)) / 2.0;
//! let difference = deviation(&repaired.model) - expected;
//! assert!(difference.abs().max().into_scalar::<f32>() < 1e-4);
//! # Ok::<(), burnscape::Error>(())
//! ```

mod averages;
mod error;
mod models;
mod repair;
mod spherical;
mod statistics;

pub use averages::{average, interpolate, weighted};
pub use error::MergeError;
pub use repair::{Repair, RepairConfig, RepairMethod, RepairReport, Repaired, RepairedLayer};
pub use spherical::{SlerpUnit, slerp};
