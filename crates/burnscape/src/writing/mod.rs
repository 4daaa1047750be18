//! Results as JSON and as tables.

mod csv;
mod error;
mod json;
pub(crate) mod number;

pub use csv::Csv;
pub(crate) use csv::{csv, csv_of_columns};
pub use error::FormatError;
pub use json::Json;
