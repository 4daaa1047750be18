use serde::Serialize;

use super::RelativeFlatnessConfig;

/// What [`RelativeFlatnessConfig::run`] found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RelativeFlatness {
    /// The measure of each weight looked at, in visit order.
    pub layers: Vec<LayerFlatness>,
    /// Whether the numbers are exact, to rounding, and not estimates.
    pub exact: bool,
    /// Products used.
    pub num_matvecs: usize,
    /// The configuration, seed included.
    pub config: RelativeFlatnessConfig,
    /// False if the observer stopped the run. Estimates are then those of the products made; of exact
    /// numbers only the layers that were finished are given.
    pub completed: bool,
}

/// The relative flatness of one weight.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LayerFlatness {
    /// Path of the weight.
    pub path: String,
    /// `Σ_{s,s'} ⟨w_s, w_s'⟩ tr H_{s,s'}`.
    pub value: f64,
    /// Its standard error, zero where it is exact. None after a single sample.
    pub standard_error: Option<f64>,
    /// [Half the width](burnscape_krylov::Estimate::half_width) of the interval that covers it with the confidence
    /// asked for.
    pub half_width: Option<f64>,
}
