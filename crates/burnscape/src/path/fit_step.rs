use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::PathError;
use super::control_points::combination;
use super::free_points::{FreePoints, FreeSpace};
use crate::loss::LossError;
use crate::loss::scalar::{called, gradients};
use crate::optim::{ClosureStep, SkipReason, StepReport};
use crate::space::{LeafVector, SpaceError};

/// One step of a fit: the loss at some places, and its gradient with respect to the free points.
pub(super) struct FitStep<'a> {
    /// All points; the optimizer provides the current free ones.
    pub(super) points: &'a [LeafVector],
    /// Index of the first free point.
    pub(super) first_free: usize,
    pub(super) places: &'a [Place],
    pub(super) weight_decay: f64,
    pub(super) max_gradient_norm: Option<f64>,
    /// Added to the gradient of the last free point.
    pub(super) regularizer: Option<LeafVector>,
}

/// A place at which the loss is taken.
pub(super) struct Place {
    /// Its share of the mean, up to the number of places.
    pub(super) share: f64,
    /// The weights of all points.
    pub(super) weights: Vec<f64>,
}

impl FitStep<'_> {
    /// Moves the free points. An error names the place `t` and the batch.
    pub(super) fn run<M: Module>(
        &self,
        free: &mut FreePoints<M, impl ClosureStep>,
        loss: &dyn Fn(&M) -> Tensor<1>,
        t: f64,
        batch: usize,
    ) -> Result<StepReport, PathError> {
        let report = free.step(|space, models| self.evaluate(space, models, loss))?;
        if report.skipped == Some(SkipReason::NonFinite) {
            return Err(PathError::NonFinite {
                what: "the loss or its gradient".to_string(),
                t,
                batch,
                value: report.loss.unwrap_or(f64::NAN),
            });
        }
        Ok(report)
    }

    fn evaluate<M: Module>(
        &self,
        space: &FreeSpace<M>,
        free: &Vec<M>,
        objective: &dyn Fn(&M) -> Tensor<1>,
    ) -> Result<(Tensor<1>, GradientsParams), LossError> {
        let free = space.vectors(free)?;
        let is_free = self.first_free..self.first_free + free.len();
        let count = self.places.len() as f64;
        let mut loss: Option<Tensor<1>> = None;
        let mut parts: Option<Vec<LeafVector>> = None;
        for Place { share, weights } in self.places {
            let share = share / count;
            let point = combination(&space.point, weights, self.points(&free))?;
            let model = space.model(point.clone());
            let value = called(|| objective(&model))?;
            let gradient = gradients(&value, &model)?;
            let gradient = LeafVector::from_gradients(&space.point, &gradient)?;
            let gradient = self.decayed_and_clipped(gradient, &point)?;
            let value = value.inner().mul_scalar(share);
            loss = Some(match loss {
                None => value,
                Some(loss) => loss + value,
            });
            // The last point takes the gradient itself, which saves a copy if it is the only one.
            let mut own = Vec::with_capacity(free.len());
            if let Some((last, others)) = weights[is_free.clone()].split_last() {
                let shares = others
                    .iter()
                    .map(|weight| gradient.clone().scale(weight * share));
                own.extend(shares);
                own.push(gradient.scale(last * share));
            }
            parts = Some(match parts {
                None => own,
                Some(parts) => parts
                    .into_iter()
                    .zip(own)
                    .map(|(sum, own): (LeafVector, LeafVector)| sum.axpby(1.0, 1.0, &own))
                    .collect::<Result<_, SpaceError>>()?,
            });
        }
        let (Some(loss), Some(mut parts)) = (loss, parts) else {
            return Err(LossError::EmptyData);
        };
        if let Some(regularizer) = &self.regularizer
            && let Some(last) = parts.pop()
        {
            parts.push(last.axpby(1.0, 1.0, regularizer)?);
        }
        Ok((loss, space.gradients(parts)?))
    }

    /// All points, with the free ones as the optimizer sees them.
    fn points<'p>(&'p self, free: &'p [LeafVector]) -> impl Iterator<Item = &'p LeafVector> {
        let (before, rest) = self.points.split_at(self.first_free);
        before.iter().chain(free).chain(&rest[free.len()..])
    }

    /// Adds the decay, then clips.
    fn decayed_and_clipped(
        &self,
        gradient: LeafVector,
        point: &LeafVector,
    ) -> Result<LeafVector, SpaceError> {
        let gradient = match self.weight_decay {
            0.0 => gradient,
            decay => gradient.axpby(1.0, decay, point)?,
        };
        let Some(largest) = self.max_gradient_norm else {
            return Ok(gradient);
        };
        let norm = gradient.norm()?;
        Ok(if norm > largest {
            gradient.scale(largest / norm)
        } else {
            gradient
        })
    }
}
