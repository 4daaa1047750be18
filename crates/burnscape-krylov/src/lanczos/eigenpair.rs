/// An eigenvalue with its vector, and how well they belong together.
#[derive(Debug, Clone)]
pub struct Eigenpair<V> {
    /// The Ritz value `θ`.
    pub value: f64,
    /// The Ritz vector `v`, of norm one.
    pub vector: V,
    /// `|A v − θ v|`, by a product of its own. Some eigenvalue of `A` is within this of `θ`.
    pub residual: f64,
}
