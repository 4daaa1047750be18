/// The distribution of a target given the outputs `z` of a model, which defines the Fisher information.
///
/// | | outputs | target | negative log-likelihood |
/// |---|---|---|---|
/// | `Categorical` | logits `[…, classes]` | `p = softmax(z)` along the last axis | cross-entropy |
/// | `Bernoulli` | logits, any shape | `p = σ(z)`, independent elements | binary cross-entropy with logits |
/// | `Gaussian` | means, any shape | `N(z, 1)`, independent elements | `½ ‖z − y‖²` |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Likelihood {
    /// One of several classes.
    Categorical,
    /// Each output element is the logit of an independent binary target.
    Bernoulli,
    /// Each output element is the mean of an independent normal target with variance one.
    Gaussian,
}

impl Likelihood {
    /// The number of independent targets for outputs of the given shape: rows along the last axis for
    /// [`Categorical`](Self::Categorical), examples along the first axis otherwise.
    pub fn num_targets(&self, outputs: &[usize]) -> usize {
        self.matrix(outputs)[0]
    }

    /// The shape of the outputs as a matrix with one target per row.
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
