//! All measures in one table.

mod config;
mod measure;
mod moments;
mod row;
mod run;
mod table;
mod tasks;

pub use config::SharpnessReportConfig;
pub use measure::Measure;
pub use row::SharpnessRow;
pub use table::SharpnessReport;
pub(super) use table::{short, write_aligned};
