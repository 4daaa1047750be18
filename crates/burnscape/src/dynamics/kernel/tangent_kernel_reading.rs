use std::fmt;

use serde::{Deserialize, Serialize};

use crate::dynamics::Cost;
use crate::writing::number;

/// What a [`TangentKernelMonitor`](super::TangentKernelMonitor) found.
/// [`TangentKernelConfig`](super::TangentKernelConfig) has the definitions.
///
/// Standard errors are those of the probes; none for a matrix, and for a single probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TangentKernelReading {
    /// `‖K − K₀‖ / ‖K₀‖`, how far the kernel is from that of the start. Exactly 0 at the start, and for a linear model.
    #[serde(with = "number")]
    pub drift: f64,
    /// The standard error of the drift.
    #[serde(with = "number")]
    pub drift_standard_error: Option<f64>,
    /// `1 − ⟨K, K₀⟩ / (‖K‖ ‖K₀‖)`, which a factor does not change. None for a kernel of zero.
    #[serde(with = "number")]
    pub distance: Option<f64>,
    /// The standard error of the distance.
    #[serde(with = "number")]
    pub distance_standard_error: Option<f64>,
    /// `yᵀ K y / (‖K‖ ‖y‖²)`. None without targets, and if `K` or `y` is zero.
    #[serde(with = "number")]
    pub alignment: Option<f64>,
    /// The standard error of the alignment.
    #[serde(with = "number")]
    pub alignment_standard_error: Option<f64>,
    /// The alignment of `C K C` and `C y`, without the means over the examples. None if one of them vanishes, and if
    /// examples have different numbers of outputs.
    #[serde(with = "number")]
    pub centered_alignment: Option<f64>,
    /// The standard error of the centered alignment.
    #[serde(with = "number")]
    pub centered_alignment_standard_error: Option<f64>,
    /// The alignment of each output, with its block of the matrix; not a number if block or targets are zero. Empty
    /// without targets, with probes, and if examples have different numbers of outputs.
    #[serde(with = "number")]
    pub alignment_per_output: Vec<f64>,
    /// The centered alignment of each output.
    #[serde(with = "number")]
    pub centered_alignment_per_output: Vec<f64>,
    /// `(tr K)² / ‖K‖²`: the number of eigenvalues, if they are equal. None for a kernel of zero.
    #[serde(with = "number")]
    pub effective_rank: Option<f64>,
    /// The standard error of the effective rank.
    #[serde(with = "number")]
    pub effective_rank_standard_error: Option<f64>,
    /// `tr K`, the sum of the squared gradients of all outputs.
    #[serde(with = "number")]
    pub trace: f64,
    /// The standard error of the trace.
    #[serde(with = "number")]
    pub trace_standard_error: Option<f64>,
    /// `‖w − w₀‖ / ‖w₀‖` over the parameters of the risk; none if all of them were zero.
    #[serde(with = "number")]
    pub relative_move: Option<f64>,
    /// `‖f − f_lin‖ / ‖f − f₀‖`, the [gap](super::LinearizedModel::gap) to the model that is linear in its weights.
    /// None at the start, and where the outputs are those of the start.
    #[serde(with = "number")]
    pub linearization_gap: Option<f64>,
    /// Examples in the data.
    pub num_examples: usize,
    /// Outputs of all examples: the rows of the kernel.
    pub num_outputs: usize,
    /// Random vectors; none for a matrix.
    pub num_probes: Option<usize>,
    /// The work of the measurement.
    pub cost: Cost,
}

impl fmt::Display for TangentKernelReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tangent kernel: drift {:.4}", self.drift)?;
        if let Some(error) = self.drift_standard_error {
            write!(f, " ± {error:.4}")?;
        }
        let numbers = [
            ("distance", self.distance, 4),
            ("effective rank", self.effective_rank, 1),
            ("alignment", self.alignment, 4),
            ("centered", self.centered_alignment, 4),
            ("relative move", self.relative_move, 4),
            ("gap to the linearized model", self.linearization_gap, 4),
        ];
        for (name, value, digits) in numbers {
            if let Some(value) = value {
                write!(f, ", {name} {value:.digits$}")?;
            }
        }
        Ok(())
    }
}
