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
        "cannot be written ({}); use a path in a folder that exists and can be written, with \
         enough free space",
        reason(error)
    );
    refused(path, message)
}

/// What an error says, without the number that the system has for it.
fn reason(error: impl Display) -> String {
    let text = error.to_string();
    if let Some((start, rest)) = text.split_once(" (os error ")
        && let Some((_, end)) = rest.split_once(')')
    {
        return format!("{start}{end}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn reasons_have_no_numbers_of_the_system() {
        let missing = std::fs::metadata("a file that is not there").unwrap_err();
        let text = reason(format!("cannot create: {missing}, at once"));
        assert!(text.starts_with("cannot create: "), "{text}");
        assert!(text.ends_with(", at once"), "{text}");
        assert!(!text.contains("os error"), "{text}");
        let other = io::Error::other("full (of files)");
        assert_eq!(reason(other), "full (of files)");
    }
}
