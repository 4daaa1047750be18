use burnscape_krylov::Outcome;
use serde::{Deserialize, Serialize};

use crate::symmetry::Element;

/// A model that has been moved onto another one, the result of a [`Matching`](super::Matching).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Alignment<M> {
    /// The second model, moved: the same function, with the units of the first model. Running statistics move along.
    pub model: M,
    /// The element that moves it.
    pub element: Element,
    /// The objective of the element: see [`Similarity::objective`](super::Similarity::objective).
    pub objective: f64,
    /// How it was found.
    pub record: AlignmentRecord,
}

/// How an element was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AlignmentRecord {
    /// The groups that `only` and `except` let the search permute: indices of
    /// [`Symmetries::groups`](crate::symmetry::Symmetries::groups). All others stay as they are in each start.
    #[serde(default)]
    pub groups: Vec<usize>,
    /// The runs, one for each start: those given, the identity, and random ones. Fewer than were requested if the
    /// observer stopped the search, or if one attained the upper bound of the similarity.
    pub starts: Vec<StartRecord>,
    /// The index of the best one; the first of equal ones.
    pub best: usize,
    /// Linear assignments that were solved.
    pub num_assignments: usize,
    /// The run that permuted the groups without activations by their weights, if there is one: its objectives are those
    /// of [`WeightSimilarity`](super::WeightSimilarity).
    #[serde(default)]
    pub rest: Option<StartRecord>,
    /// False if the observer stopped the search.
    pub completed: bool,
}

/// A run from one start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StartRecord {
    /// The objective at the start, and after each step that raised it.
    pub objectives: Vec<f64>,
    /// Sweeps over all groups, including the last one, which brings nothing.
    pub num_sweeps: usize,
    /// Converged if a sweep brought nothing; at the limit of sweeps; stopped by the observer.
    pub outcome: Outcome,
}
