use std::fmt;

use serde::{Deserialize, Serialize};

use crate::dynamics::{Cost, Quantity, Reading};
use crate::writing::number;

/// What [`CommutatorConfig`](super::CommutatorConfig) found.
///
/// # Units
///
/// `bracket` and `invariant`: the inverse of a distance between weights. `sharpness`: loss per squared parameter. `variance`:
/// loss⁴ per parameter⁶. `relative`: none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CommutatorDefect {
    /// `D = |C| / (|g_A| |g_B|)`, the median over the pairs. None if each has a gradient of zero.
    #[serde(with = "number")]
    pub bracket: Option<f64>,
    /// `D_rel = |C| / (|H_B g_A| + |H_A g_B|)`, between 0 and 1, the median over the pairs. None if each has a gradient of
    /// zero, or products of zero.
    #[serde(with = "number")]
    pub relative: Option<f64>,
    /// `D / λ_max`, if the sharpness was asked for; none unless both exist and `λ_max` is positive.
    #[serde(with = "number")]
    pub over_sharpness: Option<f64>,
    /// `λ_max`, the largest eigenvalue of the Hessian of the mean loss over the data, if it was asked for and the
    /// search for it converged.
    #[serde(with = "number")]
    pub sharpness: Option<f64>,
    /// `√V_a / |ḡ|²`, which does not depend on the batch size, if it was asked for. None at a gradient of zero.
    #[serde(with = "number")]
    pub invariant: Option<f64>,
    /// `V_a`, the mean of `|a|²` over single examples, if it was asked for.
    #[serde(with = "number")]
    pub variance: Option<f64>,
    /// `D` of each pair without a gradient of zero, in the order drawn.
    #[serde(with = "number")]
    pub brackets: Vec<f64>,
    /// `D_rel` of the same pairs, without those whose products are zero.
    #[serde(with = "number")]
    pub relatives: Vec<f64>,
    /// Examples of a batch.
    pub batch_size: usize,
    /// Pairs of batches that were compared.
    pub num_pairs: usize,
    /// The mean loss of the examples that were measured: those of the pairs, or all.
    pub loss: f64,
    /// Forward passes over all data: those that compare the losses of batches and their parts.
    pub num_losses: usize,
    /// Gradients over all data, those of the checks included. A part of the data counts as that part, and the sum is
    /// rounded up.
    pub num_gradients: usize,
    /// Products over all data, counted in the same way.
    pub num_matvecs: usize,
}

const QUANTITIES: &[Quantity<CommutatorDefect>] = &[
    Quantity {
        name: "bracket",
        description: "commutator of two gradient steps over the product of their lengths",
        value: |defect| defect.bracket,
    },
    Quantity {
        name: "relative",
        description: "commutator of two gradient steps relative to its terms, from 0 to 1",
        value: |defect| defect.relative,
    },
    Quantity {
        name: "over_sharpness",
        description: "bracket over the largest eigenvalue of the Hessian",
        value: |defect| defect.over_sharpness,
    },
    Quantity {
        name: "sharpness",
        description: "largest eigenvalue of the Hessian of the mean loss",
        value: |defect| defect.sharpness,
    },
    Quantity {
        name: "invariant",
        description: "part of the bracket that does not depend on the batch size",
        value: |defect| defect.invariant,
    },
    Quantity {
        name: "variance",
        description: "mean square of the one-sided brackets of single examples",
        value: |defect| defect.variance,
    },
    Quantity {
        name: "loss",
        description: "mean loss of the examples that were measured",
        value: |defect| Some(defect.loss),
    },
    Quantity {
        name: "num_gradients",
        description: "gradients of the measurement, in passes over the data",
        value: |defect| Some(defect.num_gradients as f64),
    },
    Quantity {
        name: "num_matvecs",
        description: "products of the measurement, in passes over the data",
        value: |defect| Some(defect.num_matvecs as f64),
    },
];

impl Reading for CommutatorDefect {
    fn quantities() -> &'static [Quantity<Self>] {
        QUANTITIES
    }

    fn cost(&self) -> Cost {
        Cost {
            num_losses: self.num_losses,
            num_gradients: self.num_gradients,
            num_matvecs: self.num_matvecs,
        }
    }
}

impl fmt::Display for CommutatorDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            num_pairs,
            batch_size,
            ..
        } = self;
        let pairs = if *num_pairs == 1 { "pair" } else { "pairs" };
        write!(
            f,
            "commutator of {num_pairs} {pairs} of batches of {batch_size}: "
        )?;
        match (self.bracket, self.relative) {
            (None, _) => write!(f, "none, because gradients are zero")?,
            (Some(bracket), None) => write!(f, "D {bracket:.4e}")?,
            (Some(bracket), Some(relative)) => write!(f, "D {bracket:.4e}, D_rel {relative:.4}")?,
        }
        if let Some(ratio) = self.over_sharpness {
            write!(f, ", D/λ_max {ratio:.4e}")?;
        }
        if let Some(invariant) = self.invariant {
            write!(f, ", for any batch size {invariant:.4e}")?;
        }
        write!(f, ", at loss {:.4e}", self.loss)
    }
}
