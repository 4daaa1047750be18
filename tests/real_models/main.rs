//! Public models as their authors wrote them, in our words: the same layers, and the same calls on devices,
//! masks and draws. Each goes through every door of the library, in double precision.
//!
//! A binary of its own: it sets the default type of the device, once in a process.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

mod checklist;
mod diffusion;
mod doors;
mod dqn;
mod fixture;
mod learner;
mod modern_lstm;
mod nano_gpt;
mod resnet;
#[path = "../learner/silent.rs"]
mod silent;
mod text_classification;
mod text_generation;
mod tied_embedding;
mod unet;
mod vae;
mod vision_transformer;
mod wgan;
