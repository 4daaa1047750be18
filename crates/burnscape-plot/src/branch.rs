use serde::{Deserialize, Serialize};

use crate::number;

/// A branch of a merge tree: a minimum, from its birth to where it merges with a deeper one.
///
/// Trees of superlevel sets are drawn as well: their branches die below their birth.
///
/// # Example
///
/// ```
/// use burnscape_plot::{Drawing, Figure, TreeBranch};
///
/// let deep = TreeBranch { birth: 0.1, label: "A".into(), ..TreeBranch::default() };
/// let shallow = TreeBranch {
///     birth: 0.4,
///     death: Some(0.9),
///     parent: Some(0),
///     is_resolved: Some(false),
///     label: "B".into(),
///     ..TreeBranch::default()
/// };
/// let figure = Figure::MergeTree(vec![deep, shallow]);
/// assert!(figure.to_svg(&Drawing::new(600, 400))?.contains(">B<"));
/// # Ok::<(), burnscape_plot::PlotError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TreeBranch {
    /// The value of the minimum.
    #[serde(with = "number")]
    pub birth: f64,
    /// The value of the pass where it merges; `None` if it never does.
    #[serde(with = "number")]
    pub death: Option<f64>,
    /// The index of the branch that it merges into; `None` for those that never die.
    pub parent: Option<usize>,
    /// The number of cells of its basin.
    pub volume: usize,
    /// Whether the grid resolves it; `None` if nobody looked.
    pub is_resolved: Option<bool>,
    /// The coordinates of the minimum.
    #[serde(with = "number")]
    pub at: Vec<f64>,
    /// A short name.
    pub label: String,
}
