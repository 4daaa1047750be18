use std::fmt;

use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::{ParamSpace, SpaceError, UnfilteredRule, Units};

/// The unit of displacements: each coordinate has its own unit `c`.
///
/// A displacement of size one moves the coordinate `w_i` by about `c_i`:
///
/// | scale | `c_i` | noise of size σ | ball of radius ρ | direction `d`, displaced by `ε d` |
/// |---|---|---|---|---|
/// | `Absolute` | 1 | `N(0, σ²)` | `\|e\| ≤ ρ` | `\|d\| = 1` |
/// | `FilterRelative` | `\|w_f\| / √n_f` | `N(0, σ² \|w_f\|² / n_f)` | `\|e/c\| ≤ ρ` | `\|d_f\| = \|w_f\|` |
/// | `ElementRelative` | `\|w_i\|` | `N(0, σ² w_i²)` | `\|e/c\| ≤ ρ` | rms of `d_i/\|w_i\|` = 1 |
///
/// `w_f` is the filter of the coordinate and `n_f` its number of elements, so that filter-relative noise has
/// `E|e_f|² = σ² |w_f|²`: σ is the relative size of the displacement. In a ball, coordinates with `c_i = 0` do
/// not move.
///
/// # Units
///
/// Absolute sizes are in units of the parameters; relative sizes are fractions.
///
/// A ReLU network computes the same function at `(aW₁, W₂/a)`. Absolute measures differ between the two by an
/// arbitrary factor (Dinh et al. 2017). Filter-relative measures are equal if `a` is the same for the whole layer,
/// element-relative measures even if every unit has its own `a`. The rescaling also changes biases: exclude them,
/// or choose a relative rule.
///
/// # References
///
/// Dinh, Pascanu, Bengio, Bengio 2017, *Sharp Minima Can Generalize For Deep Nets*,
/// arXiv:1703.04933. Li et al. 2018, *Visualizing the Loss Landscape of Neural Nets*,
/// arXiv:1712.09913, section 4 (filters). Andriushchenko et al. 2023, *A Modern Look at the
/// Relationship between Sharpness and Generalization*, arXiv:2302.07011, equation 1 (`c`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Scale {
    /// The same for every coordinate.
    #[default]
    Absolute,
    /// Relative to the norm of the coordinate's filter. Biases and normalization parameters have no filters; the
    /// rule determines their scale: [`UnfilteredRule::Zero`] does not move them, [`UnfilteredRule::Keep`] is
    /// absolute (in a direction, a standard normal number). [`UnfilteredRule::OwnWeights`] is refused.
    FilterRelative(UnfilteredRule),
    /// Relative to the coordinate itself, including biases and normalization parameters.
    ElementRelative,
}

impl Scale {
    /// The scale at a point of parameter space.
    pub(crate) fn at<M: Module>(self, space: ParamSpace, model: &M) -> Result<Units, SpaceError> {
        Units::of(self, space, model)
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Absolute => "absolute",
            Self::FilterRelative(UnfilteredRule::Zero) => "filter-relative (zero)",
            Self::FilterRelative(UnfilteredRule::AsOneFilter) => "filter-relative (as one filter)",
            Self::FilterRelative(UnfilteredRule::Keep) => "filter-relative (keep)",
            Self::FilterRelative(UnfilteredRule::OwnWeights) => "filter-relative (own weights)",
            Self::ElementRelative => "element-relative",
        })
    }
}
