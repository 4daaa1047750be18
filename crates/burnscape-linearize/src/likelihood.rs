/// What a model's outputs `z` say about the probability of a target: the family whose Fisher
/// information is meant.
///
/// | | outputs | law of a target | negative log-likelihood |
/// |---|---|---|---|
/// | `Categorical` | logits `[…, classes]` | `p = softmax(z)` along the last axis | cross-entropy |
/// | `Bernoulli` | logits, any shape | `p = σ(z)`, each element by itself | binary cross-entropy with logits |
/// | `Gaussian` | means, any shape | `N(z, 1)`, each element by itself | `½ ‖z − y‖²` |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Likelihood {
    /// One of several classes.
    Categorical,
    /// Each output element a coin of its own.
    Bernoulli,
    /// Each output element the mean of a normal law of variance one.
    Gaussian,
}

impl Likelihood {
    /// How many independent targets outputs of a shape speak of: rows along the last axis for
    /// [`Categorical`](Self::Categorical), examples along the first for the others.
    pub fn num_targets(&self, outputs: &[usize]) -> usize {
        self.matrix(outputs)[0]
    }

    /// Outputs as a matrix, one target a row.
    pub(crate) fn matrix(self, outputs: &[usize]) -> [usize; 2] {
        let total: usize = outputs.iter().product();
        let columns = match self {
            Self::Categorical => outputs.last().copied(),
            Self::Bernoulli | Self::Gaussian => outputs.first().map(|n| total / n.max(&1)),
        };
        let columns = columns.unwrap_or(1).max(1);
        [total / columns, columns]
    }
}
