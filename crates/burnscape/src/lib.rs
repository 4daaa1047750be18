//! The geometry of training losses for Burn.
#![doc(test(attr(deny(warnings))))]

// `#[derive(Batch)]` names the crate, also within it.
extern crate self as burnscape;

pub mod landscape;
pub mod loss;
pub mod optim;
pub mod sharpness;
pub mod space;
