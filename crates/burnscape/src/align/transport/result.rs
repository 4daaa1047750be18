use serde::{Deserialize, Serialize};

/// A model that has been moved onto another one by optimal transport, the result of
/// [`TransportConfig::run`](super::TransportConfig::run).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Transported<M> {
    /// The source with the shapes of the target.
    pub model: M,
    /// The plans, in the order in which they were found and applied.
    pub plans: Vec<TransportPlan>,
    /// The groups of the target that have no plan: those within others, those that others are within, and those that
    /// `only` and `except` leave out. Their units are in the order of the source.
    pub kept: Vec<usize>,
}

/// How the units of a group are moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TransportPlan {
    /// The group: an index of the target's [`Symmetries::groups`](crate::symmetry::Symmetries::groups).
    pub group: usize,
    /// The first member of the group.
    pub member: String,
    /// The numbers of units of the source and of the target.
    pub sizes: [usize; 2],
    /// The plan in row-major order, a row for each unit of the source and a column for each unit of the target. Its sum
    /// is 1.
    pub plan: Vec<f64>,
    /// `Σ T C`, the mean squared distance over which units are moved.
    pub cost: f64,
    /// The number of parameters, or of blocks of these, in the cost. Without any, the plan knows nothing.
    pub num_compared: usize,
    /// Whether the plan is that of least cost. Else it is an entropic one.
    pub is_exact: bool,
    /// Iterations of an entropic plan.
    pub num_iterations: usize,
    /// The largest deviation of a row's or column's sum, relative to what it has to be. Zero for an exact plan.
    pub deviation: f64,
}
