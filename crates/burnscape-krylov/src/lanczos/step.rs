/// One product of a Lanczos run, as an observer sees it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LanczosStep {
    /// Products so far.
    pub products: usize,
    /// Vectors in the basis.
    pub basis: usize,
    /// Norm of what the last product added: zero where a Krylov space is exhausted.
    pub beta: f64,
}
