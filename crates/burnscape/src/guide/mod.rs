//! Guides. Their examples are compiled and run with the tests of the crate.
//!
//! Start with [`index`], which lists common tasks in Burn and PyTorch and the calls for them.

#[doc = include_str!("../../guide/index.md")]
pub mod index {}

#[doc = include_str!("../../guide/how_to_choose.md")]
pub mod how_to_choose {}

#[doc = include_str!("../../guide/from_pytorch.md")]
pub mod from_pytorch {}

#[doc = include_str!("../../guide/extending.md")]
pub mod extending {}

#[doc = include_str!("../../guide/curvature.md")]
pub mod curvature {}

#[doc = include_str!("../../guide/input_derivatives.md")]
pub mod input_derivatives {}

#[doc = include_str!("../../guide/spectrum.md")]
pub mod spectrum {}

#[doc = include_str!("../../guide/dynamics.md")]
pub mod dynamics {}

#[doc = include_str!("../../guide/training_dynamics.md")]
pub mod training_dynamics {}

#[doc = include_str!("../../guide/learning_coefficient.md")]
pub mod learning_coefficient {}

#[doc = include_str!("../../guide/paths.md")]
pub mod paths {}

#[doc = include_str!("../../guide/landscapes.md")]
pub mod landscapes {}

#[doc = include_str!("../../guide/sharpness.md")]
pub mod sharpness {}

#[doc = include_str!("../../guide/symmetry.md")]
pub mod symmetry {}

#[doc = include_str!("../../guide/merging.md")]
pub mod merging {}

#[doc = include_str!("../../guide/scale.md")]
pub mod scale {}

#[doc = include_str!("../../guide/recipes.md")]
pub mod recipes {}

#[doc = include_str!("../../guide/troubleshooting.md")]
pub mod troubleshooting {}
