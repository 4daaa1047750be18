//! One ascent, and the points it visits.

use std::ops::ControlFlow;

use burn::module::Module;

use super::{AscentStep, WorstCaseRiseConfig};
use crate::loss::{Batch, DataSet, Evaluator, LossError, Objective};
use crate::sharpness::SharpnessError;
use crate::sharpness::metric::Metric;
use crate::space::ParamVector;

/// A point `w + c ⊙ u` of the ball.
#[derive(Clone)]
pub(super) struct Point {
    /// Displacement in units of the scale.
    pub(super) u: ParamVector,
    pub(super) loss: f64,
    /// Gradient with respect to `u`: `c ⊙ g`.
    pub(super) slope: ParamVector,
    pub(super) slope_norm: f64,
}

/// How an ascent ended.
pub(super) enum End {
    /// It came to rest.
    Converged,
    /// Its steps were used up.
    Exhausted,
    /// The observer stopped it.
    Stopped,
}

/// All that the ascents of one measurement share.
pub(super) struct Ascent<'a, M, O, D: ?Sized> {
    pub(super) config: &'a WorstCaseRiseConfig,
    pub(super) model: &'a M,
    pub(super) evaluator: &'a Evaluator<'a, O>,
    pub(super) data: &'a D,
    pub(super) metric: Metric,
    pub(super) num_gradients: usize,
}

impl<M, O, D: ?Sized> Ascent<'_, M, O, D> {
    /// The center of the ball, where the model itself is evaluated.
    pub(super) fn center<B>(&mut self) -> Result<Point, SharpnessError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
        D: DataSet<B>,
    {
        let u = self.metric.zero()?;
        self.num_gradients += 1;
        let (loss, slope) = self.gradient(self.model)?;
        self.point(u, loss, slope, 0, 0)
    }

    pub(super) fn evaluate<B>(
        &mut self,
        u: ParamVector,
        start: usize,
        step: usize,
    ) -> Result<Point, SharpnessError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
        D: DataSet<B>,
    {
        let moved = self.metric.stretch(u.clone())?.displace(self.model, 1.0)?;
        self.num_gradients += 1;
        match self.gradient(&moved) {
            Ok((loss, slope)) => self.point(u, loss, slope, start, step),
            Err(SharpnessError::Loss(LossError::NonFinite { batch, value })) => {
                Err(SharpnessError::NonFiniteStep {
                    start,
                    step,
                    batch,
                    value,
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Climbs from `point`, leaves it at the best point met, and says how that ended.
    pub(super) fn climb<B>(
        &mut self,
        point: &mut Point,
        base_loss: f64,
        start: usize,
        observe: &mut dyn FnMut(&AscentStep) -> ControlFlow<()>,
    ) -> Result<End, SharpnessError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
        D: DataSet<B>,
    {
        let rest = self.config.tolerance * self.config.rho;
        let mut length = self.config.step_size * self.config.rho;
        let mut observe = |step, point: &Point| {
            let num_starts = self.config.num_starts;
            observe(&AscentStep {
                start,
                num_starts,
                step,
                rise: point.loss - base_loss,
            })
        };
        if observe(0, point).is_break() {
            return Ok(End::Stopped);
        }
        for step in 1..=self.config.num_steps {
            if point.slope_norm == 0.0 {
                return Ok(End::Converged);
            }
            let ahead = point
                .u
                .clone()
                .axpy(length / point.slope_norm, &point.slope)?;
            let ahead = project(ahead, self.config.rho)?;
            if ahead.clone().axpy(-1.0, &point.u)?.norm()? <= rest {
                return Ok(End::Converged);
            }
            let next = self.evaluate(ahead, start, step)?;
            // Ties are taken: near a maximum rounding makes many, and the gradient still knows the
            // way when the loss no longer does.
            if next.loss >= point.loss {
                *point = next;
            } else {
                length *= 0.5;
            }
            if observe(step, point).is_break() {
                return Ok(End::Stopped);
            }
        }
        Ok(End::Exhausted)
    }

    fn gradient<B>(&self, model: &M) -> Result<(f64, ParamVector), SharpnessError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
        D: DataSet<B>,
    {
        let result = self.evaluator.loss_and_gradient(model, self.data)?;
        Ok((result.value, self.metric.stretch(result.gradient)?))
    }

    fn point(
        &self,
        u: ParamVector,
        loss: f64,
        slope: ParamVector,
        start: usize,
        step: usize,
    ) -> Result<Point, SharpnessError> {
        let slope_norm = slope.norm()?;
        if !slope_norm.is_finite() {
            return Err(SharpnessError::NonFiniteGradient {
                start,
                step,
                norm: slope_norm,
            });
        }
        Ok(Point {
            u,
            loss,
            slope,
            slope_norm,
        })
    }
}

/// The nearest point of the ball.
fn project(u: ParamVector, rho: f64) -> Result<ParamVector, SharpnessError> {
    let norm = u.norm()?;
    Ok(if norm > rho { u.scale(rho / norm) } else { u })
}
