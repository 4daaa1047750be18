use serde::{Deserialize, Serialize};

/// What becomes of the running statistics of normalization layers at a point of a path.
///
/// The statistics of the ends are not those of a model in between: left as they are, they make a
/// barrier of their own, which is no property of the weights. Every result names its policy.
///
/// Models without such layers are the same under all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormalizationPolicy {
    /// Those of the nearer end, as they are.
    Leave,
    /// Estimated again at every point, the ends included: the mean over a pass of the training data
    /// ([`reestimate`](super::reestimate)), or over its first batches.
    #[default]
    ReestimateAll,
    /// As [`ReestimateAll`](Self::ReestimateAll), over this many batches at most.
    Reestimate(usize),
    /// `(1 − t)` times those of the first end, plus `t` times those of the last.
    Interpolate,
}
