use serde::{Deserialize, Serialize};

use super::Eigenpair;
use crate::Outcome;

/// Eigenpairs, the outermost first, and their cost.
///
/// Serialized without the vectors: they are empty after reading.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct Eigenpairs<V> {
    /// The Ritz values `θ`; fewer than requested only if the run was stopped early, or more by the extra ones.
    pub values: Vec<f64>,
    /// The residuals `|A v − θ v|`. Some eigenvalue of `A` is within the residual of each value.
    pub residuals: Vec<f64>,
    /// The Ritz vectors `v`, of norm one.
    #[serde(skip)]
    pub vectors: Vec<V>,
    /// How the run ended. It has converged if all pairs are there, every residual is within the goal, and the values
    /// have settled: they no longer move by more than their residuals. Whether one further out may have been
    /// missed, copies of a multiple eigenvalue in particular, depends on the [method](crate::EigenMethod).
    pub outcome: Outcome,
    /// The largest residual allowed: `tolerance · |A|`.
    pub goal: f64,
    /// Products used, those for measured residuals included.
    pub num_matvecs: usize,
    /// Restarts of the basis; iterations of LOBPCG.
    pub num_restarts: usize,
}

impl<V> Eigenpairs<V> {
    /// Of a run without restarts that ended so.
    pub(crate) fn new(
        pairs: Vec<Eigenpair<V>>,
        outcome: Outcome,
        goal: f64,
        num_matvecs: usize,
    ) -> Self {
        let mut found = Self {
            values: Vec::with_capacity(pairs.len()),
            residuals: Vec::with_capacity(pairs.len()),
            vectors: Vec::with_capacity(pairs.len()),
            outcome,
            goal,
            num_matvecs,
            num_restarts: 0,
        };
        for pair in pairs {
            found.values.push(pair.value);
            found.residuals.push(pair.residual);
            found.vectors.push(pair.vector);
        }
        found
    }

    /// The pairs whose residual is within the goal.
    pub(crate) fn within_goal(self) -> Self {
        let pairs = self
            .values
            .into_iter()
            .zip(self.residuals)
            .zip(self.vectors);
        let good = pairs.filter(|((_, residual), _)| *residual <= self.goal);
        let ((values, residuals), vectors) = good.unzip();
        Self {
            values,
            residuals,
            vectors,
            ..self
        }
    }
}
