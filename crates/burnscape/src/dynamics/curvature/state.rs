use serde::{Deserialize, Serialize};

/// What later readings of a [`CurvatureMonitor`](super::CurvatureMonitor) depend on besides its settings: the vectors that
/// the next measurement starts from, and the number of measurements so far.
///
/// # Cost
///
/// Up to five vectors of the length of the parameters, ten if the optimizer is preconditioned.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CurvatureMonitorState {
    /// Coordinates of the outermost Ritz vectors of the last measurement, in visit order.
    pub(super) vectors: Vec<Vec<f64>>,
    /// Those of the preconditioned Hessian.
    pub(super) preconditioned_vectors: Vec<Vec<f64>>,
    pub(super) num_measurements: usize,
}
