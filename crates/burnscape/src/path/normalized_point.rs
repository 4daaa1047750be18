use burn::module::Module;

use super::{Curve, PathError};
use crate::loss::{NormalizationPolicy, Risk};
use crate::space::{RunningStatistics, unshared_copy};

impl NormalizationPolicy {
    /// The model of the curve at `t` with the statistics of this policy. Only re-estimation costs forward passes.
    ///
    /// # Errors
    ///
    /// [`PathError::OutOfRange`], and those of [`Risk::reestimate`].
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
            Self::ReestimateAll => Ok(risk.reestimate(&model, None)?),
            Self::Reestimate(batches) => Ok(risk.reestimate(&model, Some(batches))?),
            Self::Interpolate if t == 0.0 || t == 1.0 => Ok(model),
            Self::Interpolate => {
                let points = curve.control_points();
                let first = RunningStatistics::of(points.first());
                if first.is_empty() {
                    return Ok(model);
                }
                let last = RunningStatistics::of(points.last());
                let statistics = first.axpby(1.0 - t, t, &last)?;
                Ok(statistics.write_to(unshared_copy(&model)))
            }
        }
    }
}
