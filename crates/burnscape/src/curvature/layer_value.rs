use serde::{Deserialize, Serialize};

use crate::space::ParamLeaf;
use crate::writing::number;

/// The part that a layer or a parameter has in a trace, a norm or a measure of sharpness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LayerValue {
    /// The module that owns the parameters (`conv1`), or the parameter (`conv1.weight`).
    pub path: String,
    /// Number of its coordinates.
    pub len: usize,
    /// The value.
    #[serde(with = "number")]
    pub value: f64,
    /// Its standard error: zero where the value is exact, none from a single sample, and for traces, which have a half
    /// width only.
    #[serde(with = "number")]
    pub standard_error: Option<f64>,
    /// [Half the width](burnscape_krylov::Estimate::half_width) of the interval that covers the value with the
    /// confidence set: zero where the value is exact, none from a single sample.
    #[serde(with = "number")]
    pub half_width: Option<f64>,
}

impl LayerValue {
    /// The exact value of a parameter.
    pub(crate) fn exact(leaf: &ParamLeaf, value: f64) -> Self {
        Self {
            path: leaf.path().to_owned(),
            len: leaf.len(),
            value,
            standard_error: Some(0.0),
            half_width: Some(0.0),
        }
    }
}
