use std::io;

use thiserror::Error;

/// A result that cannot be written or read.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum FormatError {
    /// Writing failed.
    #[error("cannot write the result ({kind}): {message}; check the destination")]
    Write {
        /// The kind of failure.
        kind: io::ErrorKind,
        /// The message of the writer.
        message: String,
    },
    /// The text is not JSON, or not of this type.
    #[error(
        "cannot read the result: {message}; pass the JSON that `write_json` wrote for this type"
    )]
    Read {
        /// The message of the reader.
        message: String,
    },
}

impl From<io::Error> for FormatError {
    fn from(error: io::Error) -> Self {
        Self::Write {
            kind: error.kind(),
            message: error.to_string(),
        }
    }
}
