//! Projected ascents within a region around a model, and the points that they visit.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::Tensor;
use burnscape_krylov::Outcome;

use super::{Region, WorstCaseSharpnessConfig};
use crate::loss::{LossError, Progress, Risk, Work};
use crate::sharpness::SharpnessError;
use crate::sharpness::sample::sample_seed;
use crate::space::{ParamVector, SpaceError, Units, Wide, to_host};

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

/// The results of the ascents so far.
pub(super) struct Found {
    pub(super) base_loss: f64,
    pub(super) best: Point,
    pub(super) rises: Vec<f64>,
    pub(super) outcome: Outcome,
    pub(super) num_gradients: usize,
    /// The largest slope of each coordinate over the points visited.
    pub(super) steepest: Tensor<1>,
}

/// The position of an ascent: its start, and its steps so far.
pub(super) struct Walk {
    pub(super) start: usize,
    pub(super) step: usize,
}

/// The ascents of one measurement.
pub(super) struct Ascent<'a, M, K> {
    pub(super) config: &'a WorstCaseSharpnessConfig,
    pub(super) risk: &'a Risk<'a, M, K>,
    pub(super) model: &'a M,
    pub(super) units: &'a Units,
}

impl<M: Module, K> Ascent<'_, M, K> {
    /// Climbs from every start: the center, unless it is stationary; in a box the corner along the principal
    /// direction; then random points of the region.
    pub(super) fn run(&self) -> Result<Found, SharpnessError> {
        let begin = Walk { start: 0, step: 0 };
        let center = self.evaluate(self.model, self.units.zero()?, &begin)?;
        let mut found = Found {
            base_loss: center.loss,
            best: center.clone(),
            rises: Vec::new(),
            outcome: Outcome::Converged,
            num_gradients: 1,
            steepest: center.slope.values().clone().abs(),
        };
        for start in 0..self.config.num_starts {
            let mut walk = Walk { start, step: 0 };
            let mut point = match self.first(&center, &walk, &mut found) {
                Err(SharpnessError::Stopped) => {
                    found.outcome = Outcome::Stopped;
                    break;
                }
                other => other?,
            };
            let mut end = self.climb(&mut point, &mut walk, &mut found)?;
            if let (Outcome::Converged, Region::KeskarBox { num_flips }) = (end, self.config.region)
            {
                end = self.flip(num_flips, &mut point, &mut walk, &mut found)?;
            }
            if !end.is_converged() {
                found.outcome = end;
            }
            found.rises.push(point.loss - found.base_loss);
            if point.loss > found.best.loss {
                found.best = point;
            }
            if end == Outcome::Stopped {
                break;
            }
        }
        Ok(found)
    }

    /// The first point of an ascent. A stationary center is not a start.
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
        let corner = match self.config.region {
            Region::KeskarBox { .. } if place == 1 => self.principal_corner(center, walk, found)?,
            _ => None,
        };
        let first = match corner {
            Some(corner) => corner,
            None => self.random_point(walk.start)?,
        };
        self.visit(first, walk, found)
    }

    /// A random point of the region, which depends on the seed and the start only.
    pub(super) fn random_point(&self, start: usize) -> Result<ParamVector, SharpnessError> {
        let seed = sample_seed(self.config.seed, start);
        let unit = match self.config.region {
            Region::Ball(_) => self.units.ball(seed)?,
            Region::KeskarBox { .. } => self.units.cube(seed)?,
        };
        Ok(unit.scale(self.config.rho))
    }

    /// Loss and slope at `u`; the slope is recorded in `found`.
    pub(super) fn visit(
        &self,
        u: ParamVector,
        walk: &Walk,
        found: &mut Found,
    ) -> Result<Point, SharpnessError> {
        found.num_gradients += 1;
        let moved = self.units.stretch(u.clone())?.perturb(self.model, 1.0)?;
        let point = match self.evaluate(&moved, u, walk) {
            Err(SharpnessError::Loss(LossError::NonFinite { batch, value })) => {
                return Err(SharpnessError::NonFiniteStep {
                    start: walk.start,
                    step: walk.step,
                    batch,
                    value,
                });
            }
            point => point?,
        };
        let slope = point.slope.values().clone().abs();
        found.steepest = found.steepest.clone().max_pair(slope);
        Ok(point)
    }

    /// The point `u`, at which `model` is.
    fn evaluate(&self, model: &M, u: ParamVector, walk: &Walk) -> Result<Point, SharpnessError> {
        let result = self.risk.whole_gradient(model)?;
        let slope = self.units.stretch(result.gradient)?;
        let slope_norm = slope.norm()?;
        if !slope_norm.is_finite() {
            return Err(SharpnessError::NonFiniteGradient {
                start: walk.start,
                step: walk.step,
                norm: slope_norm,
            });
        }
        Ok(Point {
            u,
            loss: result.value,
            slope,
            slope_norm,
        })
    }

    /// Climbs from `point`, which becomes the best point visited, and returns how the ascent ended.
    pub(super) fn climb(
        &self,
        point: &mut Point,
        walk: &mut Walk,
        found: &mut Found,
    ) -> Result<Outcome, SharpnessError> {
        let rest = self.config.tolerance * self.config.rho;
        let mut length = self.config.step_size * self.config.rho;
        if walk.step == 0 && self.report(point, found).is_break() {
            return Ok(Outcome::Stopped);
        }
        while walk.step < self.config.num_steps {
            if point.slope_norm == 0.0 {
                return Ok(Outcome::Converged);
            }
            let (ahead, distance) = self.ahead(point, length)?;
            if distance <= rest {
                return Ok(Outcome::Converged);
            }
            walk.step += 1;
            let next = match self.visit(ahead, walk, found) {
                Err(SharpnessError::Stopped) => return Ok(Outcome::Stopped),
                other => other?,
            };
            // A ball accepts ties: near a maximum rounding makes many, and the gradient still points uphill where
            // the loss no longer changes. A box refuses them: signs ignore the distance, and would step from one
            // side of a maximum to the other without end.
            let is_better = match self.config.region {
                Region::Ball(_) => next.loss >= point.loss,
                Region::KeskarBox { .. } => next.loss > point.loss,
            };
            if is_better {
                *point = next;
            } else {
                length *= 0.5;
            }
            if self.report(point, found).is_break() {
                return Ok(Outcome::Stopped);
            }
        }
        Ok(Outcome::LimitReached)
    }

    /// Reports the best point of an ascent to the observer.
    pub(super) fn report(&self, point: &Point, found: &Found) -> ControlFlow<()> {
        let progress = Progress::new(Work::AscentStep, found.num_gradients);
        self.risk
            .report(progress.value(point.loss - found.base_loss))
    }

    /// The point a step ahead, within the region, and how far that is.
    fn ahead(&self, point: &Point, length: f64) -> Result<(ParamVector, f64), SpaceError> {
        let radius = self.config.rho;
        match self.config.region {
            Region::Ball(_) => {
                let u = point.u.clone();
                let factor = Wide::from(length) / Wide::from(point.slope_norm);
                let ahead = u.axpy(1.0, &point.slope.clone().scale_wide(factor))?;
                let norm = ahead.norm()?;
                let ahead = if norm > radius {
                    ahead.scale(radius / norm)
                } else {
                    ahead
                };
                let distance = ahead.clone().axpy(-1.0, &point.u)?.norm()?;
                Ok((ahead, distance))
            }
            Region::KeskarBox { .. } => {
                let signs = point.slope.values().clone().sign();
                let values = (point.u.values().clone() + signs * length).clamp(-radius, radius);
                let moved = (values.clone() - point.u.values().clone()).abs().max();
                let distance = to_host(moved)?.first().copied().unwrap_or(0.0);
                Ok((ParamVector::from_values(point.u.space(), values)?, distance))
            }
        }
    }
}
