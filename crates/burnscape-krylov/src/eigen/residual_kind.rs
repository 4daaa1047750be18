use serde::{Deserialize, Serialize};

/// Where the residual of an eigenpair comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum ResidualKind {
    /// `|A v − θ v|` by a product of its own: evidence that owes nothing to the method. A run that an observer
    /// stopped makes no more products, and estimates them.
    #[default]
    Measured,
    /// By the method's own recurrence, without a product: true to the rounding of the products, as the
    /// basis is orthonormal to rounding. What ARPACK does.
    Estimated,
}
