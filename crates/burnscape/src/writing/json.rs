use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::FormatError;

/// Results as JSON: every type with serde's traits has it, those of [`krylov`](crate::krylov) and your own included.
///
/// Numbers are written with all their digits. A result of this library writes numbers that are not finite as `"inf"`,
/// `"-inf"` and `"nan"`. Vectors and models are left out; after reading they are empty.
///
/// # Reproducibility
///
/// `serde_json` may read a number off by one unit in the last place, unless its feature `float_roundtrip` is on.
///
/// # Example
///
/// ```
/// use burnscape::path::Barriers;
/// use burnscape::prelude::*;
///
/// let barriers = Barriers::of(&[0.0, 0.5, 1.0], &[1.0, 5.0, 3.0]).ok_or("too short")?;
/// let text = barriers.to_json()?;
/// assert_eq!(Barriers::from_json(&text)?, barriers);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Json: Serialize {
    /// The result as one line of JSON.
    ///
    /// # Errors
    ///
    /// [`FormatError::Write`].
    fn to_json(&self) -> Result<String, FormatError> {
        Ok(serde_json::to_string(self).map_err(io::Error::from)?)
    }

    /// Writes one line of JSON and a line break.
    ///
    /// # Errors
    ///
    /// [`FormatError::Write`].
    fn write_json(&self, writer: impl io::Write) -> Result<(), FormatError> {
        Ok(json(self, writer)?)
    }

    /// Reads the text of [`to_json`](Self::to_json).
    ///
    /// # Errors
    ///
    /// [`FormatError::Read`].
    fn from_json(text: &str) -> Result<Self, FormatError>
    where
        Self: DeserializeOwned,
    {
        serde_json::from_str(text).map_err(unreadable)
    }

    /// Reads the output of [`write_json`](Self::write_json).
    ///
    /// # Errors
    ///
    /// [`FormatError::Read`].
    fn read_json(reader: impl io::Read) -> Result<Self, FormatError>
    where
        Self: DeserializeOwned,
    {
        serde_json::from_reader(reader).map_err(unreadable)
    }
}

impl<T: Serialize + ?Sized> Json for T {}

fn unreadable(error: serde_json::Error) -> FormatError {
    FormatError::Read {
        message: error.to_string(),
    }
}

fn json<T: Serialize + ?Sized>(result: &T, mut writer: impl io::Write) -> io::Result<()> {
    serde_json::to_writer(&mut writer, result)?;
    writer.write_all(b"\n")
}
