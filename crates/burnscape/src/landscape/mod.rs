//! Landscapes: the loss along lines and over planes of parameter space.
//!
//! [`slice_1d`] and [`slice_2d`] evaluate the loss on a [`Grid`] of displacements along directions,
//! which are [`ParamVector`]s: the difference of two models, the random directions of Li et al. 2018
//! ([`Scale::direction`]), or the axes of the plane through three models ([`ParameterPlane::axes`]). The
//! results are plain numbers that write themselves as JSON and CSV.
//!
//! [`Grid`]: crate::space::Grid
//! [`ParameterPlane::axes`]: crate::space::ParameterPlane::axes
//! [`ParamVector`]: crate::space::ParamVector
//! [`Scale::direction`]: crate::space::Scale::direction

mod axes;
mod error;
mod non_finite;
mod slice_1d;
mod slice_2d;
mod slicer;

pub use axes::Axes;
pub use error::LandscapeError;
pub use slice_1d::{Slice1d, slice_1d};
pub use slice_2d::{Slice2d, slice_2d};
