//! All measures in one table, and two tables compared.

mod additions;
mod comparison;
mod config;
mod measure;
mod measures;
mod moments;
mod row;
mod run;
mod table;

pub use comparison::{SharpnessChange, SharpnessComparison};
pub use config::SharpnessReportConfig;
pub use measure::SharpnessMeasure;
pub use row::SharpnessRow;
pub use table::SharpnessReport;
