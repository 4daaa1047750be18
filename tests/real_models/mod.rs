//! Public models as their authors wrote them, in our words: the same layers, and the same calls on devices,
//! masks and draws. Each goes through every door of the library, in double precision.

mod checklist;
mod diffusion;
mod doors;
mod dqn;
mod fixture;
mod groups;
mod learner;
mod modern_lstm;
mod monitors;
mod nano_gpt;
mod resnet;
#[path = "../optim/learner/silent.rs"]
mod silent;
mod text_classification;
mod text_generation;
mod tied_embedding;
mod unet;
mod vae;
mod vision_transformer;
mod wgan;
