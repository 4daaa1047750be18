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
