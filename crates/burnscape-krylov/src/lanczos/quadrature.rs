/// Nodes and weights that stand for the spectral measure of an operator at a vector.
///
/// Weights are positive and sum to one; nodes ascend.
#[derive(Debug, Clone, PartialEq)]
pub struct Quadrature {
    /// The nodes `θ`.
    pub nodes: Vec<f64>,
    /// The weights `τ`.
    pub weights: Vec<f64>,
}

impl Quadrature {
    /// `Σ τ f(θ)`.
    pub fn integrate(&self, f: impl Fn(f64) -> f64) -> f64 {
        let terms = self.nodes.iter().zip(&self.weights);
        terms.map(|(node, weight)| weight * f(*node)).sum()
    }
}
