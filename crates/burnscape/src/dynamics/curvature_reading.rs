use burnscape_krylov::Outcome;
use serde::{Deserialize, Serialize};

use crate::writing::number;

/// The measurement of a [`CurvatureMonitor`](super::CurvatureMonitor) at one step.
///
/// Everything is of the loss over the monitor's data, at the weights before the step; `lr` is the rate
/// the step is about to use.
///
/// # Units
///
/// Sharpness, residual, trace and edges: loss per squared parameter. `edge_ratio`: a pure number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CurvatureReading {
    /// The step, as the caller counts.
    pub step: usize,
    /// The learning rate.
    pub lr: f64,
    /// The loss.
    pub loss: f64,
    /// `|g|`, the Euclidean norm of the gradient over all trained parameters.
    pub gradient_norm: f64,
    /// `λ_max`, the algebraically largest eigenvalue of the Hessian, as a Ritz value.
    #[serde(with = "number")]
    pub sharpness: f64,
    /// `|H v − λ_max v|` for the eigenvector found, of norm one. Some eigenvalue is within this of
    /// `sharpness`.
    #[serde(with = "number")]
    pub residual: f64,
    /// Converged where the residual is within the tolerance.
    pub outcome: Outcome,
    /// `λ_max · lr / 2`: plain gradient descent is unstable along the top eigenvector above 1.
    #[serde(with = "number")]
    pub edge_ratio: f64,
    /// `2/lr`, the edge of plain gradient descent; none at a rate of zero.
    #[serde(with = "number")]
    pub gd_edge: Option<f64>,
    /// The edge of the configured momentum, by [`momentum_edge`](super::momentum_edge).
    #[serde(with = "number")]
    pub momentum_edge: Option<f64>,
    /// The edge of SAM with the configured radius, by [`Sam::edge`](crate::optim::Sam::edge); none where
    /// the gradient is zero.
    #[serde(with = "number")]
    pub sam_edge: Option<f64>,
    /// The trace of the Hessian, if the monitor has probes: the mean of `zᵀ H z`.
    #[serde(with = "number")]
    pub trace: Option<f64>,
    /// The standard deviation of that mean, from the spread of the probes; none for a single one.
    #[serde(with = "number")]
    pub trace_standard_error: Option<f64>,
    /// Hessian-vector products used, those for the trace and the checks included.
    pub products: usize,
}
