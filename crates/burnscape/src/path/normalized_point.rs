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
        self.reestimated(risk, self.point_of(curve, t)?)
    }

    /// The model of the curve at `t` with the statistics of this policy, unless they are re-estimated.
    pub(super) fn point_of<M: Module>(
        self,
        curve: &(impl Curve<M> + ?Sized),
        t: f64,
    ) -> Result<M, PathError> {
        let model = curve.point(t)?;
        if self != Self::Interpolate || t == 0.0 || t == 1.0 {
            return Ok(model);
        }
        let points = curve.control_points();
        let first = RunningStatistics::of(points.first());
        if first.is_empty() {
            return Ok(model);
        }
        let last = RunningStatistics::of(points.last());
        let statistics = first.axpby(1.0 - t, t, &last)?;
        Ok(statistics.write_to(unshared_copy(&model)))
    }

    /// The model of a point, with its statistics re-estimated if this is the policy.
    pub(super) fn reestimated<M: Module, K>(
        self,
        risk: &Risk<'_, M, K>,
        model: M,
    ) -> Result<M, PathError> {
        match self {
            Self::Leave | Self::Interpolate => Ok(model),
            Self::ReestimateAll => Ok(risk.reestimate(&model, None)?),
            Self::Reestimate(batches) => Ok(risk.reestimate(&model, Some(batches))?),
        }
    }
}
