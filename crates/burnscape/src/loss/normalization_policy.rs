use serde::{Deserialize, Serialize};

use crate::OutOfRange;
use crate::range::ensure;

/// How running statistics of normalization layers are set at a point of a path or of a landscape.
///
/// The statistics of the end points are wrong for a model in between. Without re-estimation they cause a barrier that
/// is not a property of the weights. Every result states its policy.
///
/// Models without normalization layers give the same results under every policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormalizationPolicy {
    /// Uses the statistics of the nearer end point; in a landscape, those of the model.
    Leave,
    /// Re-estimates them at every point, including the end points: the mean over a pass of the training data
    /// ([`Risk::reestimate`](super::Risk::reestimate)).
    #[default]
    ReestimateAll,
    /// Same as [`ReestimateAll`](Self::ReestimateAll), over at most this many batches.
    Reestimate(usize),
    /// Interpolates: `(1 − t)` times the statistics of the first end point plus `t` times those of the last.
    Interpolate,
}

impl NormalizationPolicy {
    /// Refuses to re-estimate over no batches.
    pub(crate) fn check(self) -> Result<(), OutOfRange> {
        match self {
            Self::Reestimate(batches) => {
                ensure("NormalizationPolicy::Reestimate", batches as f64, 1.0..)
            }
            _ => Ok(()),
        }
    }
}
