//! Running programs and linear maps on a device.

mod blocks;
mod engine;
mod executable;
#[cfg(feature = "flex")]
mod flex;
mod forward;
mod gradient;
mod lanes;
mod linearized;
mod non_finite;
mod point;
mod prepared;
mod recorded_loss;
mod ties;
mod tracked;
mod upstream;

pub use blocks::{Batching, Sharing};
#[cfg(feature = "flex")]
pub use flex::conv::{Conv, Kind};
pub use forward::PreparedForward;
pub use gradient::LinearizedGradient;
pub use linearized::Linearized;
pub use point::{Checkpointing, Point};
pub use prepared::PreparedProgram;
pub use recorded_loss::RecordedLoss;
