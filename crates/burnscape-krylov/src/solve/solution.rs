/// What a solver reached.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Solution<V> {
    /// The solution.
    pub x: V,
    /// `|b − A x| / |b|`, by a product of its own; zero for `b = 0`.
    pub residual: f64,
    /// Products used, that one included.
    pub products: usize,
    /// Whether the true residual is within the tolerance.
    pub converged: bool,
}

/// One product of a solver, as an observer sees it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SolveStep {
    /// Products so far.
    pub products: usize,
    /// The residual by the solver's own recurrence, relative to `|b|` (in the norm that a
    /// preconditioner gives, if there is one).
    pub residual: f64,
}
