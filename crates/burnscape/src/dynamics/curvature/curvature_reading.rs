use burnscape_krylov::Outcome;
use serde::{Deserialize, Serialize};

use crate::dynamics::{Cost, Quantity, Reading};
use crate::writing::number;

/// What a [`CurvatureMonitor`](super::CurvatureMonitor) found.
///
/// All numbers belong to the loss over the data of the risk, at the weights before the step.
///
/// # Units
///
/// Sharpness, residual, trace and edge: loss per squared parameter. Preconditioned sharpness, its residual and its edge: the
/// inverse of a learning rate. `edge_ratio`: dimensionless.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CurvatureReading {
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
    /// Converged if the residuals are within the tolerance.
    pub outcome: Outcome,
    /// The sharpness above which the [optimizer](super::CurvatureMonitorConfig::optimizer) is unstable, or the
    /// preconditioned sharpness if it is preconditioned. None at a rate of zero, without a gradient for SAM, before the
    /// first step of a preconditioned optimizer, and where weight decay alone is unstable.
    #[serde(with = "number")]
    pub edge: Option<f64>,
    /// The sharpness over the edge, or the preconditioned sharpness over it: the optimizer is unstable along the top
    /// eigenvector above 1. None without an edge.
    #[serde(with = "number")]
    pub edge_ratio: Option<f64>,
    /// The largest eigenvalue of the Hessian in the metric of the optimizer, `P^{-½} H P^{-½}`; none unless the optimizer is
    /// preconditioned and has taken a step.
    #[serde(with = "number")]
    pub preconditioned_sharpness: Option<f64>,
    /// Its residual.
    #[serde(with = "number")]
    pub preconditioned_residual: Option<f64>,
    /// The trace of the Hessian, if the monitor has probes: the mean of `zᵀ H z`.
    #[serde(with = "number")]
    pub trace: Option<f64>,
    /// The standard error of the trace, from the spread of the probes; none for a single probe.
    #[serde(with = "number")]
    pub trace_standard_error: Option<f64>,
    /// Hessian-vector products used, including those of the trace and the checks.
    pub num_matvecs: usize,
    /// Gradients over the data: one for the Hessian, and one for the checks.
    pub num_gradients: usize,
}

const QUANTITIES: &[Quantity<CurvatureReading>] = &[
    Quantity {
        name: "loss",
        description: "loss over the data of the monitor",
        value: |reading| Some(reading.loss),
    },
    Quantity {
        name: "gradient_norm",
        description: "Euclidean norm of the gradient of the loss",
        value: |reading| Some(reading.gradient_norm),
    },
    Quantity {
        name: "sharpness",
        description: "largest eigenvalue of the Hessian of the loss",
        value: |reading| Some(reading.sharpness),
    },
    Quantity {
        name: "residual",
        description: "distance of the sharpness from some eigenvalue, at most",
        value: |reading| Some(reading.residual),
    },
    Quantity {
        name: "converged",
        description: "1 if the residuals are within the tolerance, otherwise 0",
        value: |reading| Some(f64::from(u8::from(reading.outcome.is_converged()))),
    },
    Quantity {
        name: "edge",
        description: "sharpness above which the optimizer is unstable at the current learning rate: it rises as the rate falls",
        value: |reading| reading.edge,
    },
    Quantity {
        name: "edge_ratio",
        description: "sharpness over the edge: the optimizer is unstable above 1",
        value: |reading| reading.edge_ratio,
    },
    Quantity {
        name: "preconditioned_sharpness",
        description: "largest eigenvalue of the Hessian in the metric of the optimizer",
        value: |reading| reading.preconditioned_sharpness,
    },
    Quantity {
        name: "preconditioned_residual",
        description: "distance of the preconditioned sharpness from some eigenvalue, at most",
        value: |reading| reading.preconditioned_residual,
    },
    Quantity {
        name: "trace",
        description: "trace of the Hessian of the loss, estimated",
        value: |reading| reading.trace,
    },
    Quantity {
        name: "trace_standard_error",
        description: "standard error of the trace",
        value: |reading| reading.trace_standard_error,
    },
    Quantity {
        name: "num_matvecs",
        description: "products of the measurement",
        value: |reading| Some(reading.num_matvecs as f64),
    },
    Quantity {
        name: "num_gradients",
        description: "gradients of the measurement",
        value: |reading| Some(reading.num_gradients as f64),
    },
];

impl Reading for CurvatureReading {
    fn quantities() -> &'static [Quantity<Self>] {
        QUANTITIES
    }

    fn cost(&self) -> Cost {
        Cost {
            num_losses: 0,
            num_gradients: self.num_gradients,
            num_matvecs: self.num_matvecs,
        }
    }
}
