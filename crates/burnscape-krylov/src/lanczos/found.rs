use super::Eigenpair;
use crate::Outcome;

/// What a search for eigenpairs found, and what it cost.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Eigenpairs<V> {
    /// The pairs, the outermost first; fewer than asked for only if the run was stopped early.
    pub pairs: Vec<Eigenpair<V>>,
    /// How the run ended. It has converged if all pairs are there, every residual is within the goal, and the values have settled: they no
    /// longer move by more than their residuals. Some eigenvalue then lies within the residual of each value;
    /// that none further out was missed is as certain as the method says, for copies of a multiple eigenvalue in
    /// particular.
    pub outcome: Outcome,
    /// What residuals were to be at most: `tolerance · |A|`.
    pub goal: f64,
    /// Products used, those for true residuals included.
    pub products: usize,
    /// Restarts of the basis; iterations of methods that have no basis.
    pub restarts: usize,
}

impl<V: Clone> Eigenpairs<V> {
    /// The vectors, to start the next run from.
    pub fn vectors(&self) -> Vec<V> {
        self.pairs.iter().map(|pair| pair.vector.clone()).collect()
    }
}
