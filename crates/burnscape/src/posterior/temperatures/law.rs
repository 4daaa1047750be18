use std::fmt;

use serde::{Deserialize, Serialize};

/// How `n E[L]` depends on the temperature: `n L₀` plus `1/β` times this.
///
/// At a minimum with learning coefficient `λ` and multiplicity `m`, `nβ (E[L] − L₀)` is `λ − (m − 1) / ln nβ` to second
/// order, and a constant in the logarithm contributes as much as the next order.
///
/// # References
///
/// Watanabe 2013, *A Widely Applicable Bayesian Information Criterion*, arXiv:1208.6338.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TemperatureLaw {
    /// `λ`: multiplicity 1.
    Regular,
    /// `λ − 1 / (ln nβ + c)`: multiplicity 2.
    Double,
    /// `λ − (m − 1) / (ln nβ + c)`, with `m` fitted.
    Free,
}

impl TemperatureLaw {
    /// In the order of their parameters.
    pub(super) const ALL: [Self; 3] = [Self::Regular, Self::Double, Self::Free];

    /// The numbers that are fitted.
    pub(super) fn num_parameters(self) -> usize {
        match self {
            Self::Regular => 2,
            Self::Double => 3,
            Self::Free => 4,
        }
    }
}

impl fmt::Display for TemperatureLaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Regular => "multiplicity 1",
            Self::Double => "multiplicity 2",
            Self::Free => "fitted multiplicity",
        })
    }
}
