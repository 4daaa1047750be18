//! Checkpoints in files: read tensor by tensor, merged, written at once, and compared.

mod burnpack;
mod checkpoint;
mod distance;
mod file_merge;
mod index;
mod job;
mod layout;
mod output;
mod place;
mod safetensors;
mod sources;
mod stored_type;
mod stores;
mod writer;

use std::fmt::Display;
use std::path::Path;

pub use checkpoint::{CheckpointFile, StoredTensor};
pub use distance::{CheckpointDistance, TensorDistance};
pub use file_merge::FileMerge;
pub use layout::WeightLayout;

use super::MergeError;

/// A file that cannot be used. The message ends with the remedy.
fn refused(path: &Path, message: impl Into<String>) -> MergeError {
    MergeError::File {
        path: path.display().to_string(),
        message: message.into(),
    }
}

/// A file that is not as it should be.
fn damaged(path: &Path, what: impl Display) -> MergeError {
    let message = format!("{what}; it is damaged or incomplete, so copy or write it again");
    refused(path, message)
}

/// A file that cannot be written.
fn cannot_write(path: &Path, error: impl Display) -> MergeError {
    let message = format!(
        "it cannot be written ({error}); use a path in a folder that exists and can be written, \
         with enough free space"
    );
    refused(path, message)
}
