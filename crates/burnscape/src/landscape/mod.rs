//! Landscapes: the loss along lines and over planes of parameter space.
//!
//! [`Slice1dConfig`] and [`Slice2dConfig`] evaluate the loss on a [`Grid`] of displacements along directions,
//! which are [`ParamVector`]s: the difference of two models, the random directions of Li et al. 2018
//! ([`Scale::direction`]), or the axes of the plane through three models ([`ParameterPlane::axes`]). The
//! results are plain numbers, which can be written as [JSON](crate::Json) and [CSV](crate::Csv).
//!
//! [`Grid`]: crate::space::Grid
//! [`ParameterPlane::axes`]: crate::space::ParameterPlane::axes
//! [`ParamVector`]: crate::space::ParamVector
//! [`Scale::direction`]: crate::space::Scale::direction

mod error;
mod slice_1d;
mod slice_2d;
mod slicer;

pub use error::LandscapeError;
pub use slice_1d::{Slice1d, Slice1dConfig};
pub use slice_2d::{Slice2d, Slice2dConfig};
