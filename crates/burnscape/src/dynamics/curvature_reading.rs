use std::io;

use burnscape_krylov::Outcome;
use serde::{Deserialize, Serialize};

use crate::writing::{Csv, FormatError, csv, number};

/// The measurement of a [`CurvatureMonitor`](super::CurvatureMonitor) at one step.
///
/// All numbers belong to the loss over the monitor's data, at the weights before the step; `lr` is the rate of
/// that step. Several readings are a table: see [`Csv`].
///
/// # Units
///
/// Sharpness, residual, trace and edges: loss per squared parameter. `edge_ratio`: dimensionless.
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
    /// `|H v − λ_max v|` for the unit eigenvector found. Some eigenvalue is within this distance of
    /// `sharpness`.
    #[serde(with = "number")]
    pub residual: f64,
    /// Converged if the residual is within the tolerance.
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
    /// The edge of SAM with the configured radius, by [`Sam::edge`](crate::optim::Sam::edge); none if the
    /// gradient is zero.
    #[serde(with = "number")]
    pub sam_edge: Option<f64>,
    /// The trace of the Hessian, if the monitor has probes: the mean of `zᵀ H z`.
    #[serde(with = "number")]
    pub trace: Option<f64>,
    /// The standard error of the trace, from the spread of the probes; none for a single probe.
    #[serde(with = "number")]
    pub trace_standard_error: Option<f64>,
    /// Hessian-vector products used, including those of the trace and the checks.
    pub num_matvecs: usize,
}

const HEADER: [&str; 14] = [
    "step",
    "lr",
    "loss",
    "gradient_norm",
    "sharpness",
    "residual",
    "outcome",
    "edge_ratio",
    "gd_edge",
    "momentum_edge",
    "sam_edge",
    "trace",
    "trace_standard_error",
    "num_matvecs",
];

impl CurvatureReading {
    fn row(&self) -> [String; 14] {
        let optional = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
        [
            self.step.to_string(),
            self.lr.to_string(),
            self.loss.to_string(),
            self.gradient_norm.to_string(),
            self.sharpness.to_string(),
            self.residual.to_string(),
            self.outcome.to_string(),
            self.edge_ratio.to_string(),
            optional(self.gd_edge),
            optional(self.momentum_edge),
            optional(self.sam_edge),
            optional(self.trace),
            optional(self.trace_standard_error),
            self.num_matvecs.to_string(),
        ]
    }
}

impl Csv for [CurvatureReading] {
    /// One line for each reading, with its fields in their order. A field without a value is an empty cell.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let rows = self.iter().map(CurvatureReading::row);
        Ok(csv(HEADER, rows, writer)?)
    }
}
