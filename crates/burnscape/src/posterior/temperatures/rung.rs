use serde::{Deserialize, Serialize};

/// The mean loss of a posterior at one temperature: a point of a [`TemperatureLadder`](super::TemperatureLadder).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TemperatureRung {
    /// The inverse temperature, `β`.
    pub inverse_temperature: f64,
    /// `n E[L]`: the number of examples times the mean over the posterior of their mean loss.
    pub mean_loss: f64,
    /// Its standard error; zero if it is exact, or not known, and then so for all rungs.
    pub standard_error: f64,
    /// The effective sample size of the losses.
    pub ess: f64,
}
