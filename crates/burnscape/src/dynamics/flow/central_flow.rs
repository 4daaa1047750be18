use std::io;

use serde::{Deserialize, Serialize};

use super::CentralFlowConfig;
use crate::writing::{Csv, FormatError, csv_of_columns, number};

/// A central flow, as [`CentralFlowConfig::run`] followed it.
///
/// Serialized without the model; read it back as `CentralFlow<()>`. As a table: times, losses, sharpness and `σ²`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CentralFlow<M = ()> {
    /// The model at the last of the times.
    #[serde(skip)]
    pub model: M,
    /// Zero, the end of each accepted step, and the times at which the sharpness reached `2/η`, in steps of gradient
    /// descent.
    pub times: Vec<f64>,
    /// The loss `L(w)` at each of these times.
    pub losses: Vec<f64>,
    /// The sharpness `S = λ_max` of the Hessian.
    pub sharpness: Vec<f64>,
    /// `σ²`, the mean squared displacement of gradient descent along the top eigenvector; 0 below the edge.
    #[serde(with = "number")]
    pub sigma_squared: Vec<f64>,
    /// The second eigenvalue, if it came within 5 % of `2/η`: the flow ended there. It is a Ritz value of the search
    /// for the first one, at most the eigenvalue.
    pub second_direction: Option<f64>,
    /// Accepted steps.
    pub num_accepted: usize,
    /// Steps that were made again with a shorter length.
    pub num_rejected: usize,
    /// Gradients over the data, with those of Hessians.
    pub num_gradients: usize,
    /// Hessian-vector products of the searches for the sharpness.
    pub num_matvecs: usize,
    /// Third derivatives: gradients of the sharpness.
    pub num_third_derivatives: usize,
    /// False if the flow ended before its end time: at a second direction, at the limit of gradients, or because the
    /// observer stopped it.
    pub completed: bool,
    /// The settings.
    pub config: CentralFlowConfig,
}

impl<M> CentralFlow<M> {
    /// `L(w) + ½ S σ²` at each time: the mean loss of gradient descent, which oscillates about the flow, to second order.
    pub fn mean_losses(&self) -> Vec<f64> {
        let losses = self.losses.iter();
        let rest = self.sharpness.iter().zip(&self.sigma_squared);
        losses
            .zip(rest)
            .map(|(loss, (sharpness, variance))| loss + 0.5 * sharpness * variance)
            .collect()
    }
}

impl<M> Csv for CentralFlow<M> {
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let columns = [
            ("time", &self.times),
            ("loss", &self.losses),
            ("sharpness", &self.sharpness),
            ("sigma_squared", &self.sigma_squared),
        ];
        let columns = columns.map(|(name, values)| (name.to_string(), values.as_slice()));
        Ok(csv_of_columns(&columns, writer)?)
    }
}
