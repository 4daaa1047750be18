use serde::{Deserialize, Serialize};

use super::CurvatureReading;

/// The state of a [`CurvatureMonitor`](super::CurvatureMonitor): its readings, and the eigenvectors that the next
/// measurement starts from. Any format of `serde` can store it.
///
/// # Cost
///
/// Up to five vectors of the length of the parameters.
///
/// # Reproducibility
///
/// The readings of a resumed monitor are the same to the bit if the format keeps the bits. JSON by `serde_json` keeps
/// vectors of f32 (and f64 with its feature `float_roundtrip`); the last binary place of numbers in the history may
/// change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CurvatureMonitorRecord {
    /// The readings, oldest first.
    pub history: Vec<CurvatureReading>,
    /// Coordinates of the outermost Ritz vectors of the last measurement, in visit order.
    pub(super) vectors: Vec<Vec<f64>>,
}
