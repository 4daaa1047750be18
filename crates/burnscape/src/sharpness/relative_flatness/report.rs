use serde::{Deserialize, Serialize};

use super::RelativeFlatnessConfig;
use crate::curvature::LayerValue;

/// The result of [`RelativeFlatnessConfig::run`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RelativeFlatness {
    /// `Σ_{s,s'} ⟨w_s, w_s'⟩ tr H_{s,s'}` of each weight measured, in visit order.
    pub layers: Vec<LayerValue>,
    /// Whether the numbers are exact, to rounding, and not estimates.
    pub exact: bool,
    /// Products used.
    pub num_matvecs: usize,
    /// The configuration, seed included.
    pub config: RelativeFlatnessConfig,
    /// False if the observer stopped the run. Estimates are then those of the products made; exact
    /// numbers are those of the finished layers only.
    pub completed: bool,
}
