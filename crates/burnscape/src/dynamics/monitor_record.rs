use serde::{Deserialize, Serialize};

use super::CurvatureHistory;

/// The state of a [`CurvatureMonitor`](super::CurvatureMonitor): its history, and the eigenvectors that the next
/// measurement starts from. Write it with any format of `serde`.
///
/// # Cost
///
/// Up to five vectors of the length of the parameters.
///
/// # Reproducibility
///
/// A monitor that resumes reads the same bits if the format keeps them. JSON by `serde_json` keeps
/// vectors of f32 (and f64 with its feature `float_roundtrip`); numbers of the history may be off in their
/// last binary place.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CurvatureMonitorRecord {
    /// The readings so far.
    pub history: CurvatureHistory,
    /// Coordinates of the outermost Ritz vectors of the last measurement, in visit order.
    pub(super) vectors: Vec<Vec<f64>>,
}
