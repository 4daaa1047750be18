/// An eigenvalue with its vector and their residual, while a method works with it.
#[derive(Debug, Clone)]
pub(crate) struct Eigenpair<V> {
    /// The Ritz value `θ`.
    pub(crate) value: f64,
    /// The Ritz vector `v`, of norm one.
    pub(crate) vector: V,
    /// `|A v − θ v|`. Some eigenvalue of `A` is within this of `θ`.
    pub(crate) residual: f64,
}
