//! Tail indices against stable laws with known index.

mod calibration;
mod draws;
mod gradients;
mod laws;
mod pooling;
mod refusals;
mod settings;
