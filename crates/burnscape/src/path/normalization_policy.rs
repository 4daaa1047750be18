use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::error::check_range;
use super::{Curve, PathError, reestimate};
use crate::loss::Risk;
use crate::space::{RunningStatistics, unshared_copy};

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
    /// ([`reestimate`]), or over its first batches.
    #[default]
    ReestimateAll,
    /// As [`ReestimateAll`](Self::ReestimateAll), over this many batches at most.
    Reestimate(usize),
    /// `(1 − t)` times those of the first end, plus `t` times those of the last.
    Interpolate,
}

impl NormalizationPolicy {
    pub(super) fn check(self) -> Result<(), PathError> {
        match self {
            Self::Reestimate(batches) => {
                let name = "the number of batches to re-estimate on";
                check_range(name, batches as f64, "at least 1", |x| x >= 1.0)
            }
            _ => Ok(()),
        }
    }

    /// The model of the curve at `t` with the statistics of this policy. It costs no evaluation
    /// unless they are re-estimated.
    ///
    /// # Errors
    ///
    /// [`PathError::TimeOutOfRange`], [`PathError::OutOfRange`], and those of [`reestimate`].
    pub fn point<M: Module, K>(
        self,
        risk: &Risk<'_, M, K>,
        curve: &(impl Curve<M> + ?Sized),
        t: f64,
    ) -> Result<M, PathError> {
        self.check()?;
        let model = curve.point(t)?;
        match self {
            Self::Leave => Ok(model),
            Self::ReestimateAll => reestimate(risk, &model, None),
            Self::Reestimate(batches) => reestimate(risk, &model, Some(batches)),
            Self::Interpolate if t == 0.0 || t == 1.0 => Ok(model),
            Self::Interpolate => {
                let points = curve.control_points();
                let first = RunningStatistics::of(points.first());
                if first.is_empty() {
                    return Ok(model);
                }
                let last = RunningStatistics::of(points.last());
                let statistics = first.linear(1.0 - t, t, &last)?;
                Ok(statistics.write_to(unshared_copy(&model)))
            }
        }
    }
}
