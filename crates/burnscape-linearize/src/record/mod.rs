//! Recording: Burn operations on placeholders, captured instead of executed.

mod recorder;
mod replay;
mod scope;

use burn::backend::Autodiff;
use burn_capture::CaptureBackend;

pub(crate) use recorder::{Recorder, Symbol};
pub(crate) use replay::{declared, declared_with};
pub use scope::is_recording;
pub(crate) use scope::{completed, record};

/// The backend that records.
pub(crate) type C = CaptureBackend;

/// The backend that records, with autodiff.
pub(crate) type AC = Autodiff<CaptureBackend>;
