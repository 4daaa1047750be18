use serde::{Deserialize, Serialize};

/// Nodes and weights that stand for the spectral measure of an operator at a vector.
///
/// Weights are positive and sum to one; nodes ascend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quadrature {
    /// The nodes `θ`.
    pub nodes: Vec<f64>,
    /// The weights `τ`.
    pub weights: Vec<f64>,
}

impl Quadrature {
    /// The quadrature with these nodes and weights, in any order.
    pub(crate) fn of_points(mut points: Vec<(f64, f64)>) -> Self {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (nodes, weights) = points.into_iter().unzip();
        Self { nodes, weights }
    }

    /// Nodes with their weights.
    pub(crate) fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.nodes.iter().copied().zip(self.weights.iter().copied())
    }

    /// `Σ τ f(θ)`.
    pub fn integrate(&self, f: impl Fn(f64) -> f64) -> f64 {
        let terms = self.nodes.iter().zip(&self.weights);
        terms.map(|(node, weight)| weight * f(*node)).sum()
    }

    /// The Wasserstein-1 distance from equal weights on `values`: `∫ |F(x) − G(x)| dx` of the two
    /// cumulative distributions, which is how far mass must travel in the mean. How good a density is
    /// as a picture of known eigenvalues.
    ///
    /// None without values or nodes, or where one is not finite.
    ///
    /// # Units
    ///
    /// Those of the eigenvalues; over their range it is a number between 0 and 1.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_krylov::Quadrature;
    ///
    /// let measure = Quadrature { nodes: vec![0.0, 1.0], weights: vec![0.5, 0.5] };
    /// assert_eq!(measure.wasserstein1(&[1.0, 0.0]), Some(0.0));
    /// assert_eq!(measure.wasserstein1(&[2.0, 2.0]), Some(1.5));
    /// ```
    pub fn wasserstein1(&self, values: &[f64]) -> Option<f64> {
        let share = (values.len() as f64).recip();
        let there = values.iter().map(|value| (*value, -share));
        let mut steps: Vec<(f64, f64)> = self.points().chain(there).collect();
        let is_finite = steps
            .iter()
            .all(|step| step.0.is_finite() && step.1.is_finite());
        if values.is_empty() || self.nodes.is_empty() || !is_finite {
            return None;
        }
        steps.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut gap = 0.0_f64;
        let distances = steps.windows(2).map(|pair| {
            gap += pair[0].1;
            gap.abs() * (pair[1].0 - pair[0].0)
        });
        Some(distances.sum())
    }
}
