use std::{fmt, io};

use serde::{Deserialize, Serialize};

use super::found_point::starts;
use super::{CriticalPointsConfig, FoundPoint};
use crate::writing::csv;
use crate::{Csv, FormatError};

/// The result of [`CriticalPointsConfig::run`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CriticalPoints {
    /// The distinct critical points, by ascending loss.
    pub points: Vec<FoundPoint>,
    /// Ends where the gradient is in directions without curvature, by ascending loss: no evidence of a critical point.
    pub gradient_flat: Vec<FoundPoint>,
    /// Starts whose gradient was not small after the last step.
    pub num_unconverged: usize,
    /// Starts that reached a loss, gradient or product that was NaN or infinite.
    pub num_not_finite: usize,
    /// Gradients taken, without that of the [checks](crate::loss::Risk::with_checks) of a trace.
    pub num_gradients: usize,
    /// Hessian-vector products, without the two of the checks.
    pub num_matvecs: usize,
    /// The configuration, seed included.
    pub config: CriticalPointsConfig,
    /// False if the observer stopped the search: the numbers are those of the starts before.
    pub completed: bool,
}

impl CriticalPoints {
    pub(super) fn new(config: CriticalPointsConfig) -> Self {
        Self {
            points: Vec::new(),
            gradient_flat: Vec::new(),
            num_unconverged: 0,
            num_not_finite: 0,
            num_gradients: 0,
            num_matvecs: 0,
            config,
            completed: true,
        }
    }

    /// Starts that ended at critical points.
    pub fn num_converged(&self) -> usize {
        self.points.iter().map(|found| found.seeds.len()).sum()
    }

    /// Starts that ended, wherever.
    pub fn num_starts(&self) -> usize {
        let flat: usize = self.gradient_flat.iter().map(|end| end.seeds.len()).sum();
        self.num_converged() + flat + self.num_unconverged + self.num_not_finite
    }
}

/// A line for each point, and one that counts the starts.
impl fmt::Display for CriticalPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for found in &self.points {
            writeln!(f, "{found}")?;
        }
        let (all, converged) = (self.num_starts(), self.num_converged());
        let flat = all - converged - self.num_unconverged - self.num_not_finite;
        write!(
            f,
            "{}: {converged} ended at critical points, {flat} where the gradient is flat, {} did not converge, {} \
             left the range of numbers",
            starts(all),
            self.num_unconverged,
            self.num_not_finite
        )?;
        if !self.completed {
            write!(f, " (stopped; {} were asked for)", self.config.num_starts)?;
        }
        Ok(())
    }
}

/// `loss,index,near_zero,gradient_norm,curved_gradient,starts`, a line for each critical point. Numbers that are not
/// exact are empty.
impl Csv for CriticalPoints {
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let count = |count: Option<usize>| count.map(|count| count.to_string()).unwrap_or_default();
        let rows = self.points.iter().map(|found| {
            let curved = found.curved_gradient.map(|curved| curved.to_string());
            [
                found.point.loss.to_string(),
                count(found.index()),
                count(found.num_zero()),
                found.point.gradient_norm.to_string(),
                curved.unwrap_or_default(),
                found.seeds.len().to_string(),
            ]
        });
        let header = [
            "loss",
            "index",
            "near_zero",
            "gradient_norm",
            "curved_gradient",
            "starts",
        ];
        Ok(csv(header, rows, writer)?)
    }
}
