//! Projected ascents within a region around a model, and the points they visit.

use std::ops::ControlFlow;

use burn::module::Module;

use super::argument::{check_count, check_positive, check_size};
use super::metric::Metric;
use super::sample::sample_seed;
use super::{AscentStep, SharpnessError};
use crate::loss::{Batch, DataSet, Evaluator, LossError, Objective};
use crate::space::{ParamVector, SpaceError, Wide, to_host};

/// Where `u` may be, and what a step uphill is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Region {
    /// `|u| ≤ r`; steps along the gradient.
    Ball,
    /// `max |u_i| ≤ r`; steps along its signs, so that a linear loss is done in one.
    Cube,
}

/// How the ascents of one measurement go.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) region: Region,
    pub(super) radius: f64,
    pub(super) num_steps: usize,
    pub(super) num_starts: usize,
    /// Of the first step, in units of the radius.
    pub(super) step_size: f64,
    /// In units of the radius.
    pub(super) tolerance: f64,
    pub(super) seed: u64,
}

impl Plan {
    pub(super) fn check(&self, radius: &'static str) -> Result<(), SharpnessError> {
        check_size(radius, self.radius)?;
        check_count("num_steps", self.num_steps)?;
        check_count("num_starts", self.num_starts)?;
        check_positive("step_size", self.step_size)?;
        check_size("tolerance", self.tolerance)
    }
}

/// A point `w + c ⊙ u` of the region.
#[derive(Clone)]
pub(super) struct Point {
    /// Displacement in units of the scale.
    pub(super) u: ParamVector,
    pub(super) loss: f64,
    /// Gradient with respect to `u`: `c ⊙ g`.
    pub(super) slope: ParamVector,
    pub(super) slope_norm: f64,
}

/// What the ascents found.
pub(super) struct Found {
    pub(super) base_loss: f64,
    pub(super) best: Point,
    pub(super) rises: Vec<f64>,
    pub(super) converged: bool,
    pub(super) completed: bool,
    pub(super) num_gradients: usize,
}

/// How an ascent ended.
enum End {
    /// It came to rest.
    Converged,
    /// Its steps were used up.
    Exhausted,
    /// The observer stopped it.
    Stopped,
}

/// All that the ascents of one measurement share.
pub(super) struct Ascent<'a, M, O, D: ?Sized> {
    pub(super) plan: Plan,
    pub(super) model: &'a M,
    pub(super) evaluator: &'a Evaluator<'a, O>,
    pub(super) data: &'a D,
    pub(super) metric: &'a Metric,
}

impl<M, O, D: ?Sized> Ascent<'_, M, O, D> {
    /// Climbs from every start: the center, then random points of the region.
    pub(super) fn run<B>(
        &self,
        observe: &mut dyn FnMut(&AscentStep) -> ControlFlow<()>,
    ) -> Result<Found, SharpnessError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
        D: DataSet<B>,
    {
        let (loss, slope) = self.gradient(self.model)?;
        let center = self.point(self.metric.zero()?, loss, slope, 0, 0)?;
        let mut found = Found {
            base_loss: loss,
            best: center.clone(),
            rises: Vec::new(),
            converged: true,
            completed: true,
            num_gradients: 1,
        };
        for start in 0..self.plan.num_starts {
            let mut point = match start {
                0 => center.clone(),
                _ => {
                    found.num_gradients += 1;
                    self.evaluate(self.random_point(start)?, start, 0)?
                }
            };
            let end = self.climb(&mut point, &mut found, start, observe)?;
            found.converged &= matches!(end, End::Converged);
            found.rises.push(point.loss - found.base_loss);
            if point.loss > found.best.loss {
                found.best = point;
            }
            if matches!(end, End::Stopped) {
                found.completed = false;
                break;
            }
        }
        Ok(found)
    }

    fn random_point(&self, start: usize) -> Result<ParamVector, SharpnessError> {
        let seed = sample_seed(self.plan.seed, start);
        let unit = match self.plan.region {
            Region::Ball => self.metric.ball(seed)?,
            Region::Cube => self.metric.cube(seed)?,
        };
        Ok(unit.scale(self.plan.radius))
    }

    fn evaluate<B>(
        &self,
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
    fn climb<B>(
        &self,
        point: &mut Point,
        found: &mut Found,
        start: usize,
        observe: &mut dyn FnMut(&AscentStep) -> ControlFlow<()>,
    ) -> Result<End, SharpnessError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
        D: DataSet<B>,
    {
        let rest = self.plan.tolerance * self.plan.radius;
        let mut length = self.plan.step_size * self.plan.radius;
        let base_loss = found.base_loss;
        let mut observe = |step, point: &Point| {
            observe(&AscentStep {
                start,
                num_starts: self.plan.num_starts,
                step,
                rise: point.loss - base_loss,
            })
        };
        if observe(0, point).is_break() {
            return Ok(End::Stopped);
        }
        for step in 1..=self.plan.num_steps {
            if point.slope_norm == 0.0 {
                return Ok(End::Converged);
            }
            let (ahead, distance) = self.ahead(point, length)?;
            if distance <= rest {
                return Ok(End::Converged);
            }
            found.num_gradients += 1;
            let next = self.evaluate(ahead, start, step)?;
            // In a ball ties are taken: near a maximum rounding makes many, and the gradient still
            // knows the way when the loss no longer does. Signs know no distance, and would step
            // from one side of a maximum to the other for ever.
            let is_better = match self.plan.region {
                Region::Ball => next.loss >= point.loss,
                Region::Cube => next.loss > point.loss,
            };
            if is_better {
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

    /// The point a step ahead, within the region, and how far that is.
    fn ahead(&self, point: &Point, length: f64) -> Result<(ParamVector, f64), SpaceError> {
        let radius = self.plan.radius;
        match self.plan.region {
            Region::Ball => {
                let u = point.u.clone();
                let factor = Wide::from(length) / Wide::from(point.slope_norm);
                let ahead = u.axpy(1.0, &point.slope.clone().scale_wide(factor))?;
                let norm = ahead.norm()?;
                let ahead = match norm > radius {
                    true => ahead.scale(radius / norm),
                    false => ahead,
                };
                let distance = ahead.clone().axpy(-1.0, &point.u)?.norm()?;
                Ok((ahead, distance))
            }
            Region::Cube => {
                let signs = point.slope.values().clone().sign();
                let values = (point.u.values().clone() + signs * length).clamp(-radius, radius);
                let moved = (values.clone() - point.u.values().clone()).abs().max();
                let distance = to_host(moved)?.first().copied().unwrap_or(0.0);
                Ok((ParamVector::from_values(point.u.space(), values)?, distance))
            }
        }
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
