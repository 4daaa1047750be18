use serde::{Deserialize, Serialize};

use crate::Outcome;

/// The end of a flow, with its cost. [`FlowConfig`](crate::FlowConfig) computes it.
///
/// Serialized without the value, which is empty (the default) after reading. Read a `Flow<()>` where the vector type
/// has no default.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Flow<V> {
    /// The time reached: the end time, or the end of the last accepted step if the run ended before.
    pub time: f64,
    /// `y` at that time.
    #[serde(skip)]
    pub value: V,
    /// Accepted steps.
    pub num_accepted: usize,
    /// Attempts whose error was too large.
    pub num_rejected: usize,
    /// Evaluations of the field.
    pub num_evaluations: usize,
    /// How the run ended. It has converged if it reached the end time.
    pub outcome: Outcome,
}
