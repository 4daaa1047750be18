//! Corners of a box: one along the principal direction, and higher ones next to where an ascent has converged.

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use burnscape_krylov::Outcome;

use super::ascent::{Ascent, Found, Point, Walk};
use super::config::BOUNDARY;
use crate::sharpness::SharpnessError;
use crate::space::{ParamVector, SpaceError, to_host};

/// Gradients used for the principal direction.
const POWERS: usize = 4;
/// A coordinate is flipped where its slope is below this fraction of its largest slope so far: the loss to first order
/// is small, and curvature may outweigh it.
const SMALL: f64 = 0.7;
/// The number of groups that the coordinates are divided into.
const GROUPS: usize = 16;
/// Marks a coordinate that is not flipped: larger than every relative slope, which is at most one.
const NEVER: f64 = 2.0;

impl<M: Module, K> Ascent<'_, M, K> {
    /// The corner along the direction in which the slope changes most, by the power method on differences of
    /// slopes; none where no slope changes. At a minimum this is the top eigenvector of the Hessian.
    pub(super) fn principal_corner(
        &self,
        center: &Point,
        walk: &Walk,
        found: &mut Found,
    ) -> Result<Option<ParamVector>, SharpnessError> {
        let radius = self.config.rho;
        let mut direction = self.random_point(walk.start)?;
        for _ in 0..POWERS {
            let largest = to_host(direction.values().clone().abs().max())?;
            let largest = largest.first().copied().unwrap_or(0.0);
            if !(largest > 0.0 && largest.is_finite()) {
                return Ok(None);
            }
            let point = self.visit(direction.scale(radius / largest), walk, found)?;
            direction = point.slope.axpy(-1.0, &center.slope)?;
        }
        let signs = direction.values().clone().sign();
        let signs = ParamVector::from_values(direction.space(), signs)?;
        if signs.norm()? == 0.0 {
            return Ok(None);
        }
        let is_down = signs.dot(&center.slope)? < 0.0;
        Ok(Some(signs.scale(if is_down { -radius } else { radius })))
    }

    /// Flips coordinates of a corner where an ascent has converged, a group at a time, in the order of increasing
    /// slope; climbs again from there, and keeps the higher point. Has converged where no flip leads higher.
    pub(super) fn flip(
        &self,
        num_flips: usize,
        point: &mut Point,
        walk: &mut Walk,
        found: &mut Found,
    ) -> Result<Outcome, SharpnessError> {
        if self.config.rho == 0.0 {
            return Ok(Outcome::Converged);
        }
        loop {
            let before = point.loss;
            for flipped in self.flipped(num_flips, point, found)? {
                if walk.step >= self.config.num_steps {
                    return Ok(Outcome::LimitReached);
                }
                walk.step += 1;
                let mut other = match self.visit(flipped, walk, found) {
                    Err(SharpnessError::Stopped) => return Ok(Outcome::Stopped),
                    other => other?,
                };
                if self.report(point, found).is_break() {
                    return Ok(Outcome::Stopped);
                }
                let end = self.climb(&mut other, walk, found)?;
                let is_higher = other.loss > point.loss;
                if is_higher {
                    *point = other;
                }
                match end {
                    Outcome::Converged if is_higher => break,
                    Outcome::Converged => {}
                    Outcome::LimitReached | Outcome::Stopped => return Ok(end),
                }
            }
            if point.loss <= before {
                return Ok(Outcome::Converged);
            }
        }
    }

    /// The point with each group of coordinates of small slope flipped.
    fn flipped(
        &self,
        num_flips: usize,
        point: &Point,
        found: &Found,
    ) -> Result<Vec<ParamVector>, SpaceError> {
        let u = point.u.values().clone();
        let is_inside = u
            .clone()
            .abs()
            .lower_elem((1.0 - BOUNDARY) * self.config.rho);
        let is_idle = found.steepest.clone().equal_elem(0.0);
        let share = point.slope.values().clone().abs() / found.steepest.clone();
        let share = share.mask_fill(is_inside.bool_or(is_idle), NEVER);
        // The relative slopes at which the groups begin, and the end of the last.
        let count = point.u.space().len();
        let size = count.div_ceil(GROUPS);
        let places: Vec<i64> = (0..=num_flips)
            .map(|group| (group * size).min(count - 1) as i64)
            .collect();
        let places = Tensor::<1, Int>::from_data(places.as_slice(), &u.device());
        let marks = to_host(share.clone().sort(0).select(0, places))?;
        let mut flipped = Vec::new();
        for ends in marks.windows(2) {
            let (from, to) = (ends[0], ends[1].min(SMALL));
            if from >= to {
                continue;
            }
            let is_one = share.clone().greater_equal_elem(from);
            let is_one = is_one.bool_and(share.clone().lower_elem(to));
            let values = u.clone().mask_where(is_one, -u.clone());
            flipped.push(ParamVector::from_values(point.u.space(), values)?);
        }
        Ok(flipped)
    }
}
