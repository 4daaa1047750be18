/// One iteration of a search for eigenpairs, as an observer sees it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EigenStep {
    /// Iterations so far.
    pub iterations: usize,
    /// Products so far.
    pub products: usize,
    /// The largest residual among the pairs that are asked for and known so far, by the method's own
    /// recurrence.
    pub residual: f64,
    /// What it is to be at most.
    pub goal: f64,
}
