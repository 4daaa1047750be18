use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::control_points::combination;
use super::evaluated::Evaluated;
use super::free_space::FreeSpace;
use crate::loss::LossError;
use crate::loss::scalar::{called, gradients};
use crate::space::{LeafVector, SpaceError};

/// The loss at the places of one step, and its gradient with respect to the free points.
pub(super) struct FitClosure<'a, M> {
    pub(super) space: &'a FreeSpace<M>,
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

impl<M: Module> FitClosure<'_, M> {
    pub(super) fn evaluate(&self, free: &Vec<M>, loss: &dyn Fn(&M) -> Tensor<1>) -> Evaluated {
        Evaluated(self.run(free, loss))
    }

    fn run(
        &self,
        free: &Vec<M>,
        objective: &dyn Fn(&M) -> Tensor<1>,
    ) -> Result<(Tensor<1>, GradientsParams), LossError> {
        let free = self.space.vectors(free)?;
        let is_free = self.first_free..self.first_free + free.len();
        let count = self.places.len() as f64;
        let mut loss: Option<Tensor<1>> = None;
        let mut parts: Option<Vec<LeafVector>> = None;
        for Place { share, weights } in self.places {
            let share = share / count;
            let point = self.combine(&free, weights)?;
            let model = self.space.model(point.clone());
            let value = called(|| objective(&model))?;
            let gradient = gradients(&value, &model)?;
            let gradient = LeafVector::from_gradients(&self.space.point, &gradient)?;
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
        Ok((loss, self.space.gradients(parts)?))
    }

    /// `Σ weights_k · point_k`, with the free points as the optimizer sees them.
    fn combine(&self, free: &[LeafVector], weights: &[f64]) -> Result<LeafVector, SpaceError> {
        let after = self.first_free + free.len();
        let fixed = &self.points;
        let points = fixed[..self.first_free].iter().chain(free);
        combination(&self.space.point, weights, points.chain(&fixed[after..]))
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
