use std::fmt;

use serde::{Deserialize, Serialize};

use super::filter::{Blocks, Lengths};
use super::{ParamKind, ParamVector, SpaceError, UnfilteredRule};

/// The normalization of a random direction `z`, which decides what a displacement of size one is.
///
/// | norm | direction `d` |
/// |---|---|
/// | `Sphere` | `z / \|z\|` |
/// | `Filter` | `d_f = z_f \|w_f\| / \|z_f\|` for every filter `f` of a weight |
/// | `Layer` | `d_l = z_l \|w_l\| / \|z_l\|` for every weight tensor `l` |
/// | `Weight` | `d_i = z_i \|w_i\|` for every element `i` of a weight |
/// | `UnitFilter` | `d_f = z_f / \|z_f\|` |
/// | `UnitLayer` | `d_l = z_l / \|z_l\|` |
///
/// Biases, and the gains and shifts of normalization layers, have no filters; the [`UnfilteredRule`] determines their
/// part of every norm but `Sphere`. With [`UnfilteredRule::AsOneFilter`] such a parameter is scaled as one filter to
/// `|w_l|`, or to 1 in unit norms. Filters are those of [`filter_norms`](ParamVector::filter_norms).
///
/// The length is known beforehand: `|d|² = Σ |w_l|²` over the scaled parameters for `Filter` (without filters that are
/// zero in `z`) and `Layer`, and the number of filters or tensors for unit norms. A filter or tensor of norm zero in
/// `z` or `w` becomes zero, in unit norms only one of norm zero in `z`.
///
/// With the relative norms (`Filter`, `Layer`, `Weight`) the loss along one direction stays the same if one layer of a
/// ReLU network without biases is multiplied by a factor and the next divided by it. The picture of an absolute norm
/// changes by an arbitrary factor. With `Filter` and `Layer`, a displacement of 1 is as long as the weights under
/// [`UnfilteredRule::AsOneFilter`] and [`UnfilteredRule::OwnWeights`], and as long as the weights that have filters
/// under [`UnfilteredRule::Zero`]. With `Weight` this holds for the mean of `|d|²` over all draws.
///
/// # References
///
/// Li, Xu, Taylor, Studer, Goldstein 2018, *Visualizing the Loss Landscape of Neural Nets*, arXiv:1712.09913, section 4
/// (filters). Their code also has the other norms; there, `Weight` multiplies by `w` instead of `|w|`, which has the
/// same distribution.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burnscape::space::{DirectionNorm, ParamSpace, ParamVector, UnfilteredRule};
///
/// let model = LinearConfig::new(3, 2).init(&Device::default());
/// let space = ParamSpace::of(&model)?;
/// let weights = ParamVector::from_module(&space, &model)?;
/// let norm = DirectionNorm::Filter(UnfilteredRule::Zero);
/// let direction = norm.normalize(ParamVector::gaussian(&space, 7)?, &weights)?;
/// let (own, wanted) = (direction.filter_norms()?, weights.filter_norms()?);
/// assert!((own[0][1] - wanted[0][1]).abs() < 1e-6);
/// assert_eq!(own[1], [0.0]);
/// # Ok::<(), burnscape::space::SpaceError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DirectionNorm {
    /// Length 1, all parameters alike.
    Sphere,
    /// Every filter as long as that of the weights.
    Filter(UnfilteredRule),
    /// Every weight tensor as long as that of the weights.
    Layer(UnfilteredRule),
    /// Every element times the absolute value of the weight.
    Weight(UnfilteredRule),
    /// Every filter of length 1.
    UnitFilter(UnfilteredRule),
    /// Every weight tensor of length 1.
    UnitLayer(UnfilteredRule),
}

impl DirectionNorm {
    /// The direction, normalized at these weights.
    ///
    /// # Cost
    ///
    /// A few passes over the two vectors and six host synchronizations at most.
    ///
    /// # Errors
    ///
    /// [`SpaceError::NoDirection`] if nothing but zeros is left, as for a model without weights with
    /// [`UnfilteredRule::Zero`], or if a number is not finite; [`SpaceError::DifferentSpaces`], [`SpaceError::Device`].
    pub fn normalize(
        self,
        direction: ParamVector,
        weights: &ParamVector,
    ) -> Result<ParamVector, SpaceError> {
        direction.space().check_same(weights.space())?;
        let normalized = match self {
            Self::Sphere => return direction.normalize(),
            Self::Filter(rule) => {
                direction.rescaled(weights, rule, Blocks::Filters, Lengths::OfWeights)?
            }
            Self::Layer(rule) => {
                direction.rescaled(weights, rule, Blocks::Tensors, Lengths::OfWeights)?
            }
            Self::Weight(rule) => times_magnitudes(&direction, weights, rule)?,
            Self::UnitFilter(rule) => {
                direction.rescaled(weights, rule, Blocks::Filters, Lengths::One)?
            }
            Self::UnitLayer(rule) => {
                direction.rescaled(weights, rule, Blocks::Tensors, Lengths::One)?
            }
        };
        let norm = normalized.wide_norm()?;
        if norm.is_positive() && norm.is_finite() {
            Ok(normalized)
        } else {
            Err(SpaceError::NoDirection { norm: norm.value() })
        }
    }
}

impl fmt::Display for DirectionNorm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, rule) = match self {
            Self::Sphere => return f.pad("sphere"),
            Self::Filter(rule) => ("filter", rule),
            Self::Layer(rule) => ("layer", rule),
            Self::Weight(rule) => ("weight", rule),
            Self::UnitFilter(rule) => ("unit filter", rule),
            Self::UnitLayer(rule) => ("unit layer", rule),
        };
        f.pad(&format!("{name} ({rule})"))
    }
}

/// `z_i |w_i|` for weights. For parameters without filters, the rule decides.
fn times_magnitudes(
    direction: &ParamVector,
    weights: &ParamVector,
    rule: UnfilteredRule,
) -> Result<ParamVector, SpaceError> {
    let by_rule = direction.clone();
    let by_rule = by_rule.rescaled(weights, rule, Blocks::Tensors, Lengths::OfWeights)?;
    let product = by_rule.to_leaves().map(|leaf, value| {
        Some(if leaf.kind() == ParamKind::Weight {
            direction.leaf(leaf) * weights.leaf(leaf).abs()
        } else {
            value
        })
    });
    ParamVector::from_leaves(&product)
}
