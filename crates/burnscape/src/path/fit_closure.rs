use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::control_points::combination;
use super::evaluated::Evaluated;
use super::{ControlPoints, CurveFitterConfig};
use crate::loss::LossError;
use crate::loss::scalar::{called, gradients};
use crate::space::{LeafVector, ParamSpace, SpaceError};

/// The loss at the places of one step, and its gradient by the free control points.
pub(super) struct FitClosure<'a, M> {
    pub(super) config: &'a CurveFitterConfig,
    pub(super) points: &'a ControlPoints<M>,
    pub(super) template: &'a M,
    pub(super) space: &'a ParamSpace,
    pub(super) free_space: &'a ParamSpace,
    /// Places, and their weights in the mean.
    pub(super) draws: &'a [(f64, f64)],
    /// The weights of the control points at each place.
    pub(super) weights: &'a [Vec<f64>],
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
        let free = LeafVector::from_module(self.free_space, free)?.split_into(self.space);
        let count = self.draws.len() as f64;
        let mut loss: Option<Tensor<1>> = None;
        let mut parts: Option<Vec<LeafVector>> = None;
        for ((_, share), weights) in self.draws.iter().zip(self.weights) {
            let share = share / count;
            let point = self.combine(&free, weights)?;
            let model = point.clone().apply_to_own(self.template);
            let value = called(|| objective(&model))?;
            let gradient = LeafVector::from_gradients(self.space, &gradients(&value, &model)?)?;
            let gradient = self.shape(gradient, &point)?;
            let value = value.inner().mul_scalar(share);
            loss = Some(match loss {
                None => value,
                Some(loss) => loss + value,
            });
            // The last one takes the gradient itself, which saves a copy where there is but one.
            let mut own = Vec::with_capacity(free.len());
            let inner = &weights[1..weights.len() - 1];
            if let Some((last, others)) = inner.split_last() {
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
        let (Some(loss), Some(parts)) = (loss, parts) else {
            return Err(LossError::EmptyData);
        };
        let gradient = LeafVector::concatenated(self.free_space, parts)?;
        Ok((loss, gradient.into_gradients()))
    }

    /// The point of the curve, from the ends and the free points as the optimizer sees them.
    fn combine(&self, free: &[LeafVector], weights: &[f64]) -> Result<LeafVector, SpaceError> {
        let ends = self.points.vectors();
        let last = weights.len() - 1;
        let vector = |index: usize| match index {
            0 => &ends[0],
            index if index == last => &ends[last],
            index => &free[index - 1],
        };
        let points = (0..weights.len()).map(vector);
        combination(self.space, weights, points)
    }

    /// Adds the decay, then clips.
    fn shape(&self, gradient: LeafVector, point: &LeafVector) -> Result<LeafVector, SpaceError> {
        let gradient = match self.config.weight_decay {
            0.0 => gradient,
            decay => gradient.axpby(1.0, decay, point)?,
        };
        let Some(largest) = self.config.max_gradient_norm else {
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
