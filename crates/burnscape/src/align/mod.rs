//! Alignment: the symmetry of a model that brings it nearest to another one.
//!
//! Two models of one architecture that were trained from different seeds use their hidden units in different orders, so
//! that a unit of one has nothing to do with the unit of the other at the same place, and an average of their weights
//! is no useful model. A permutation that leaves the function of the second model as it is can bring corresponding
//! units to the same places. [`symmetry`](crate::symmetry) finds these permutations, and this module the best one.
//!
//! | task | type |
//! |---|---|
//! | align a model to another one by weights | [`WeightMatchingConfig`] |
//! | align by what units compute on data | [`ActivationMatchingConfig`] |
//! | align by both, or by a similarity of your own | [`CoordinateDescentConfig`], with [`MixedSimilarity`] or a [`Similarity`] |
//! | learn the permutation with the smallest loss between the models | [`StraightThroughConfig`], [`SinkhornConfig`] |
//! | make scores a soft permutation, differentiably | [`sinkhorn`](sinkhorn()) |
//! | align many models at once, consistently | [`MultiMatchingConfig`] |
//! | turn the bases of attention heads onto each other | [`GaugeAlignmentConfig`] |
//! | move a model onto one of other widths | [`TransportConfig`] |
//! | give starts, watch and stop | [`Matching`], [`GaugeMatching`] |
//! | align parts of a model | `only` and `except`: see [`CoordinateDescentConfig::only`] |
//!
//! The result is an [`Alignment`]: the model, the element that moves it, its objective, and how it was found. Models
//! are not changed. Similarities and searches are computed in f64 on the CPU, wherever the models are.
//!
//! # Example
//!
//! A model that differs by a permutation only is recovered, and the average is the first model, bit by bit.
//!
//! ```
//! use burn::module::Module;
//! use burn::nn::{Linear, LinearConfig};
//! use burn::tensor::activation::relu;
//! use burn::tensor::{Device, Tensor};
//! use burnscape::align::WeightMatchingConfig;
//! use burnscape::symmetry::SymmetriesConfig;
//!
//! #[derive(Module, Debug)]
//! struct Mlp {
//!     first: Linear,
//!     second: Linear,
//! }
//!
//! let device = Device::default();
//! let a = Mlp {
//!     first: LinearConfig::new(4, 8).init(&device),
//!     second: LinearConfig::new(8, 2).init(&device),
//! };
//! let outputs = |m: &Mlp, x: &Tensor<2>| m.second.forward(relu(m.first.forward(x.clone())));
//! let x = Tensor::<2>::ones([3, 4], &device);
//! let symmetries = SymmetriesConfig::new().run(&outputs, &a, x)?;
//! let planted = symmetries.random(1);
//! let b = planted.apply(&a)?;
//!
//! let found = WeightMatchingConfig::new().run(&symmetries, &a, &b)?;
//! assert_eq!(found.element, planted.inverse());
//! let weight = |m: &Mlp| m.first.weight.val();
//! let average = (weight(&a) + weight(&found.model)) / 2.0;
//! assert_eq!(average.into_data(), weight(&a).into_data());
//! # Ok::<(), burnscape::align::AlignError>(())
//! ```

mod activation_config;
mod activations;
mod alignment;
mod assignment;
mod channels;
mod collected;
mod config;
mod descent;
mod error;
mod filter;
mod gauge;
mod many;
mod many_models;
mod many_result;
mod many_search;
mod matching;
mod midpoints;
mod mixture;
mod moments;
mod quadratic;
mod similarity;
mod sinkhorn;
mod sinkhorn_config;
mod sinkhorn_search;
mod soft;
mod straight_through;
mod straight_through_config;
mod transport;
mod unfolding;
mod units;
mod universe;
mod weights;

pub use activation_config::ActivationMatchingConfig;
pub use activations::{ActivationMeasure, ActivationSimilarity};
pub use alignment::{Alignment, AlignmentRecord, StartRecord};
pub use config::CoordinateDescentConfig;
pub use error::AlignError;
pub use gauge::{GaugeAlignment, GaugeAlignmentConfig, GaugeMatching};
pub use many::MultiMatchingConfig;
pub use many_result::MultiAlignment;
pub use matching::{Matching, WeightMatchingConfig};
pub use mixture::MixedSimilarity;
pub use similarity::{Similarity, reordered};
pub use sinkhorn::sinkhorn;
pub use sinkhorn_config::SinkhornConfig;
pub use straight_through::StraightThrough;
pub use straight_through_config::StraightThroughConfig;
pub use transport::{TransportConfig, TransportPlan, Transported};
pub use weights::WeightSimilarity;
