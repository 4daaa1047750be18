use std::io;

use burnscape::merge::MergeError;
use thiserror::Error;

/// Why the command ends without a result.
#[derive(Debug, Error)]
pub(crate) enum CommandError {
    /// Flags or a configuration that make no sense.
    #[error("{0}")]
    Usage(String),
    /// A file in the way, or one that cannot be read.
    #[error("`{path}` {message}")]
    File { path: String, message: String },
    /// What the library refuses, in words of the command.
    #[error("{0}")]
    Refused(String),
    /// What the library refuses.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// Standard output.
    #[error("standard output cannot be written: {0}; redirect it to a place with space")]
    Output(io::Error),
}

impl CommandError {
    /// 2 if another command is needed, 1 if other files are.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Merge(error) => match error {
                MergeError::OutOfRange(_)
                | MergeError::NoModels
                | MergeError::NoBase { .. }
                | MergeError::NumModels { .. }
                | MergeError::NoSuchTensor { .. }
                | MergeError::NoLayout { .. }
                | MergeError::MixedTypes { .. } => 2,
                _ => 1,
            },
            Self::File { .. } | Self::Refused(_) | Self::Output(_) => 1,
        }
    }
}
