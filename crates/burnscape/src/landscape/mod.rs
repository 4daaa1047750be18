//! Landscapes: the loss over grids of parameter space, and their wells and passes.
//!
//! A [`LandscapeConfig`] evaluates the loss at every point of a grid that has an axis for each [`Direction`]: random
//! directions of a chosen [norm](crate::space::DirectionNorm), eigenvectors of the Hessian, the difference of two
//! models, gradients and updates, or any [`ParamVector`](crate::space::ParamVector). The resulting [`Landscape`] is
//! plain data, which can be written as [JSON](crate::Json) and [CSV](crate::Csv), and has a
//! [merge tree](Landscape::merge_tree).

#[cfg(feature = "files")]
mod cache;
mod center;
mod digits;
mod direction;
mod direction_kind;
mod direction_record;
mod error;
mod evaluator;
mod gathered;
mod landscape_config;
mod order;
mod statistics;
mod surface;
mod tree;
mod workers;

pub use direction::Direction;
pub use direction_kind::DirectionKind;
pub use direction_record::DirectionRecord;
pub use error::LandscapeError;
pub use landscape_config::LandscapeConfig;
pub use surface::{Landscape, LandscapeMetric};
pub use tree::{LandscapeTree, LossScale};
