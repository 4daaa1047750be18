use serde::Serialize;

/// What is being worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Task {
    /// Eigenpairs of one end.
    Eigenpairs,
    /// A density, and what is read off it.
    Density,
    /// A trace, of the whole or of layers.
    Trace,
    /// A diagonal.
    Diagonal,
    /// A verdict about a point.
    CriticalPoint,
}

/// A product, as an observer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpectrumStep {
    /// What it is for.
    pub task: Task,
    /// Products of this task so far.
    pub products: usize,
    /// Products planned at most.
    pub planned: usize,
}
