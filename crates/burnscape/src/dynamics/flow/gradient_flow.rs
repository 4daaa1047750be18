use std::io;

use serde::{Deserialize, Serialize};

use super::GradientFlowConfig;
use crate::writing::{Csv, FormatError, csv_of_columns};

/// A gradient flow, as [`GradientFlowConfig::run`] followed it.
///
/// Serialized without the model; read it back as `GradientFlow<()>`. As a table: times and losses.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GradientFlow<M = ()> {
    /// The model at the last of the times.
    #[serde(skip)]
    pub model: M,
    /// Zero, and the end of each accepted step.
    pub times: Vec<f64>,
    /// The loss at each of these times.
    pub losses: Vec<f64>,
    /// The times at which the sharpness was read.
    pub sharpness_times: Vec<f64>,
    /// `λ_max` of the Hessian at each of them.
    pub sharpness: Vec<f64>,
    /// Accepted steps.
    pub num_accepted: usize,
    /// Steps that were made again, because of their error or because the loss rose.
    pub num_rejected: usize,
    /// Accepted steps along which the loss rose by more than rounding, although they had been halved ten times.
    /// More than a few of them show a loss at its rounding, or a gradient that is not that of the loss.
    pub num_rises: usize,
    /// Gradients over the data, with those of the readings.
    pub num_gradients: usize,
    /// Hessian-vector products of the readings.
    pub num_matvecs: usize,
    /// False if the flow ended before its end time: at the limit of gradients, or because the observer stopped it.
    pub completed: bool,
    /// The settings.
    pub config: GradientFlowConfig,
}

impl<M> Csv for GradientFlow<M> {
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let columns = [
            ("time".to_string(), self.times.as_slice()),
            ("loss".to_string(), self.losses.as_slice()),
        ];
        Ok(csv_of_columns(&columns, writer)?)
    }
}
