//! Projected ascents within a region around a model, and the points they visit.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::Tensor;

use super::SharpnessError;
use super::argument::{check_count, check_positive, check_size};
use super::sample::sample_seed;
use crate::loss::{LossError, Progress, Risk, Work};
use crate::space::{ParamVector, SpaceError, Units, Wide, to_host};

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
    /// Groups of coordinates of a cube that are flipped, one after the other, where an ascent rests.
    pub(super) num_flips: usize,
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
    /// The largest slope that each coordinate has had at a point visited.
    pub(super) steepest: Tensor<1>,
}

/// Where an ascent is on its way.
pub(super) struct Walk {
    pub(super) start: usize,
    /// Steps taken.
    pub(super) step: usize,
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
pub(super) struct Ascent<'a, M, K> {
    pub(super) plan: Plan,
    pub(super) risk: &'a Risk<'a, M, K>,
    pub(super) model: &'a M,
    pub(super) units: &'a Units,
}

impl<M: Module, K> Ascent<'_, M, K> {
    /// Climbs from every start: the center, unless it is stationary; in a cube the corner along the principal
    /// direction; then random points of the region.
    pub(super) fn run(&self) -> Result<Found, SharpnessError> {
        let (loss, slope) = self.gradient(self.model)?;
        let center = self.point(self.units.zero()?, loss, slope, 0, 0)?;
        let mut found = Found {
            base_loss: loss,
            best: center.clone(),
            rises: Vec::new(),
            converged: true,
            completed: true,
            num_gradients: 1,
            steepest: center.slope.values().clone().abs(),
        };
        for start in 0..self.plan.num_starts {
            let mut walk = Walk { start, step: 0 };
            let mut point = match self.first(&center, &walk, &mut found) {
                Err(SharpnessError::Stopped) => {
                    found.converged = false;
                    found.completed = false;
                    break;
                }
                other => other?,
            };
            let mut end = self.climb(&mut point, &mut walk, &mut found)?;
            if matches!(end, End::Converged) && self.plan.region == Region::Cube {
                end = self.flip(&mut point, &mut walk, &mut found)?;
            }
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

    /// Where an ascent begins. A center that is stationary is no start.
    fn first(
        &self,
        center: &Point,
        walk: &Walk,
        found: &mut Found,
    ) -> Result<Point, SharpnessError> {
        let place = walk.start + usize::from(center.slope_norm == 0.0);
        if place == 0 {
            return Ok(center.clone());
        }
        let corner = match self.plan.region {
            Region::Cube if place == 1 => self.principal_corner(center, walk, found)?,
            _ => None,
        };
        let first = match corner {
            Some(corner) => corner,
            None => self.random_point(walk.start)?,
        };
        self.visit(first, walk, found)
    }

    /// A point of the region on the unit of the radius, by the seed and the start.
    pub(super) fn random_point(&self, start: usize) -> Result<ParamVector, SharpnessError> {
        let seed = sample_seed(self.plan.seed, start);
        let unit = match self.plan.region {
            Region::Ball => self.units.ball(seed)?,
            Region::Cube => self.units.cube(seed)?,
        };
        Ok(unit.scale(self.plan.radius))
    }

    /// Loss and slope at `u`, remembered.
    pub(super) fn visit(
        &self,
        u: ParamVector,
        walk: &Walk,
        found: &mut Found,
    ) -> Result<Point, SharpnessError> {
        found.num_gradients += 1;
        let point = self.evaluate(u, walk.start, walk.step)?;
        let slope = point.slope.values().clone().abs();
        found.steepest = found.steepest.clone().max_pair(slope);
        Ok(point)
    }

    fn evaluate(&self, u: ParamVector, start: usize, step: usize) -> Result<Point, SharpnessError> {
        let moved = self.units.stretch(u.clone())?.perturb(self.model, 1.0)?;
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
    pub(super) fn climb(
        &self,
        point: &mut Point,
        walk: &mut Walk,
        found: &mut Found,
    ) -> Result<End, SharpnessError> {
        let rest = self.plan.tolerance * self.plan.radius;
        let mut length = self.plan.step_size * self.plan.radius;
        if walk.step == 0 && self.report(point, found).is_break() {
            return Ok(End::Stopped);
        }
        while walk.step < self.plan.num_steps {
            if point.slope_norm == 0.0 {
                return Ok(End::Converged);
            }
            let (ahead, distance) = self.ahead(point, length)?;
            if distance <= rest {
                return Ok(End::Converged);
            }
            walk.step += 1;
            let next = match self.visit(ahead, walk, found) {
                Err(SharpnessError::Stopped) => return Ok(End::Stopped),
                other => other?,
            };
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
            if self.report(point, found).is_break() {
                return Ok(End::Stopped);
            }
        }
        Ok(End::Exhausted)
    }

    /// Shows the observer the best point of an ascent.
    pub(super) fn report(&self, point: &Point, found: &Found) -> ControlFlow<()> {
        let progress = Progress::new(Work::AscentStep, found.num_gradients);
        self.risk
            .report(progress.value(point.loss - found.base_loss))
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

    fn gradient(&self, model: &M) -> Result<(f64, ParamVector), SharpnessError> {
        let result = self.risk.whole_gradient(model)?;
        Ok((result.value, self.units.stretch(result.gradient)?))
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
