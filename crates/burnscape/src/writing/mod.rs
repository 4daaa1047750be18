//! Results as JSON and as tables.

mod aligned;
mod csv;
mod error;
mod json;
pub(crate) mod number;

pub(crate) use aligned::write_aligned;
pub use csv::Csv;
pub(crate) use csv::{csv, csv_of_columns};
pub use error::FormatError;
pub use json::Json;
