use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::module::Module;
use burnscape_krylov::{EigenpairsConfig, Which};

use super::{PosteriorError, Potential};
use crate::loss::{Draws, LossError, Observer, Progress, Reduction, Risk, each};
use crate::space::{ParamVector, unshared_copy};

/// Steps and limits follow from the sharpness, and none is better than this.
const TOLERANCE: f64 = 1e-3;

/// The [`Potential`] of a risk at a model: what [`PosteriorConfig::run`](super::PosteriorConfig::run) samples.
///
/// `L` is the mean loss over the data of the risk, `w₀` the parameters of the model: all trainable ones, or the
/// [group](Risk::with_group) of the risk. Mode, draws and observer are those of the risk. The observer sees the samples, not
/// the batches of every pass. A loss that is not finite is a value, by which samplers reject a proposal or end.
///
/// Clones share loss and data, and have a copy of the model each. A loss whose draws are fixed by a
/// [seed](Risk::with_draws_seed) seeds the generator of the device, so that clones on several threads evaluate it by turns.
///
/// # Cost
///
/// A loss and gradient is one forward and backward pass over the data, or over one batch, at a copy of the model. The
/// [sharpness](Potential::sharpness) is a Hessian and a search for its largest eigenvalue, to a tolerance of 1e-3.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::posterior::Potential;
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().mean();
/// let data = [Tensor::<2>::from_floats([[1.0, 0.0]], &device)];
///
/// // L = w₁².
/// let potential = Risk::new(&loss, &data).potential(&model)?;
/// let start = potential.start()?;
/// let first = start.to_host()?[0];
/// let (value, gradient) = potential.loss_and_gradient(&start, None)?;
/// assert!((value - first * first).abs() < 1e-6);
/// assert!((gradient.to_host()?[0] - 2.0 * first).abs() < 1e-6);
/// assert!((potential.sharpness()? - 2.0).abs() < 1e-3);
/// # Ok::<(), burnscape::Error>(())
/// ```
pub struct RiskPotential<'a, M> {
    /// Without the observer: a chain reports its samples.
    risk: Risk<'a, M>,
    observer: Observer<'a>,
    model: M,
    start: ParamVector,
    /// Held during an evaluation that seeds the generator of the device.
    turn: Option<Arc<Mutex<()>>>,
}

impl<M> RiskPotential<'_, M> {
    fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        let turn = self.turn.as_deref()?;
        Some(turn.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<'a, M: Module + 'static, K> Risk<'a, M, K> {
    /// The loss as a [`Potential`], with `w₀` at the model.
    ///
    /// # Cost
    ///
    /// A copy of the model.
    ///
    /// # Errors
    ///
    /// [`PosteriorError::SumReduction`] for a risk that sums over examples, and [`PosteriorError::Loss`] and
    /// [`PosteriorError::Space`] for parameters without a flat vector.
    pub fn potential(&self, model: &M) -> Result<RiskPotential<'a, M>, PosteriorError> {
        if self.reduction() == Reduction::Sum {
            return Err(PosteriorError::SumReduction);
        }
        let model = unshared_copy(model);
        let start = ParamVector::from_module(&self.space(&model)?, &model)?;
        Ok(RiskPotential {
            risk: self.whole().unobserved(),
            observer: self.observer().clone(),
            model,
            start,
            turn: (self.draws() != Draws::Refused).then(Arc::default),
        })
    }
}

impl<M: Module + 'static> Potential for RiskPotential<'_, M> {
    type Vector = ParamVector;

    fn start(&self) -> Result<ParamVector, PosteriorError> {
        Ok(self.start.clone())
    }

    fn loss_and_gradient(
        &self,
        at: &ParamVector,
        batch: Option<usize>,
    ) -> Result<(f64, ParamVector), PosteriorError> {
        let model = at.apply_to(&self.model)?;
        let _turn = self.turn();
        let found = match batch {
            None => self.risk.loss_and_gradient(&model),
            Some(index) => {
                let batch = self.risk.chosen_as(index, None, index);
                batch.loss_and_gradient(&model)
            }
        };
        match found {
            Ok(found) => Ok((found.value, found.gradient)),
            Err(LossError::NonFinite { value, .. }) => {
                Ok((value, ParamVector::zeros(self.start.space())?))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn sharpness(&self) -> Result<f64, PosteriorError> {
        let _turn = self.turn();
        let hessian = self.risk.hessian(&self.model)?;
        let found = EigenpairsConfig::new(1, Which::Largest)
            .with_tolerance(TOLERANCE)
            .run(&hessian)?;
        found.values.first().copied().ok_or(PosteriorError::Stopped)
    }

    fn batch_weights(&self) -> Result<Vec<f64>, PosteriorError> {
        let mut weights = Vec::new();
        each(&**self.risk.source(), |index, batch| {
            let (_, weight) = batch.examples_and_weight(index)?;
            weights.push(weight);
            Ok::<_, LossError>(ControlFlow::Continue(()))
        })?;
        if weights.is_empty() {
            return Err(LossError::EmptyData.into());
        }
        Ok(weights)
    }

    fn num_unused(&self) -> Result<usize, PosteriorError> {
        let _turn = self.turn();
        let found = self.risk.loss_and_gradient(&self.model)?;
        Ok(found.num_without_gradient)
    }

    fn gaussian(&self, seed: u64) -> Result<ParamVector, PosteriorError> {
        Ok(ParamVector::noise(self.start.space(), seed)?)
    }

    fn inverse_root(
        &self,
        mean_square: &ParamVector,
        damping: f64,
    ) -> Result<ParamVector, PosteriorError> {
        let roots = mean_square.values().clone().sqrt() + damping;
        Ok(ParamVector::from_values(self.start.space(), roots.recip())?)
    }

    fn report(&self, progress: Progress) -> ControlFlow<()> {
        self.observer.report(&progress)
    }
}

/// A clone has its own copy of the model, running statistics included.
impl<M: Module> Clone for RiskPotential<'_, M> {
    fn clone(&self) -> Self {
        Self {
            risk: self.risk.clone(),
            observer: self.observer.clone(),
            model: unshared_copy(&self.model),
            start: self.start.clone(),
            turn: self.turn.clone(),
        }
    }
}

impl<M> fmt::Debug for RiskPotential<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RiskPotential")
            .field("risk", &self.risk)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::{Device, Tensor};

    use super::*;
    use crate::loss::SumLoss;

    fn model() -> Linear {
        LinearConfig::new(2, 1).init(&Device::default())
    }

    /// Batches of one and of three examples.
    fn data() -> [Tensor<2>; 2] {
        let device = Device::default();
        [
            Tensor::from_floats([[1.0, 2.0]], &device),
            Tensor::from_floats([[0.5, -1.0], [3.0, 0.0], [1.0, 1.0]], &device),
        ]
    }

    fn loss(model: &Linear, x: Tensor<2>) -> Tensor<1> {
        model.forward(x).square().mean()
    }

    #[test]
    fn the_loss_is_the_weighted_mean_of_its_batches() {
        let data = data();
        let potential = Risk::new(&loss, &data).potential(&model()).unwrap();
        let weights = potential.batch_weights().unwrap();
        assert_eq!(weights, [1.0, 3.0]);
        let at = potential.gaussian(3).unwrap();
        let (whole, gradient) = potential.loss_and_gradient(&at, None).unwrap();
        let (mut value, mut sum) = (0.0, ParamVector::zeros(at.space()).unwrap());
        for (batch, weight) in weights.iter().enumerate() {
            // A clone is the same function.
            let part = potential.clone().loss_and_gradient(&at, Some(batch));
            let (loss, gradient) = part.unwrap();
            value += weight / 4.0 * loss;
            sum = sum.axpy(weight / 4.0, &gradient).unwrap();
        }
        assert!((whole - value).abs() < 1e-5 * whole);
        let difference = sum.axpy(-1.0, &gradient).unwrap().norm().unwrap();
        assert!(difference < 1e-5 * gradient.norm().unwrap());
        assert_eq!(potential.num_unused(), Ok(0));
    }

    #[test]
    fn a_loss_that_is_not_finite_is_a_value() {
        let data = data();
        let wall = |model: &Linear, x: Tensor<2>| loss(model, x).add_scalar(1.0) / 0.0;
        let potential = Risk::new(&wall, &data).potential(&model()).unwrap();
        let start = potential.start().unwrap();
        for batch in [None, Some(1)] {
            let (value, gradient) = potential.loss_and_gradient(&start, batch).unwrap();
            assert_eq!((value, gradient.norm()), (f64::INFINITY, Ok(0.0)));
        }
    }

    #[test]
    fn sums_are_refused_and_unused_parameters_counted() {
        let (data, model) = (data(), model());
        let sum = SumLoss(|model: &Linear, x: Tensor<2>| model.forward(x).square().sum());
        let refused = Risk::new(&sum, &data).potential(&model);
        assert!(matches!(refused, Err(PosteriorError::SumReduction)));
        let without_bias =
            |model: &Linear, x: Tensor<2>| x.matmul(model.weight.val()).square().mean();
        let potential = Risk::new(&without_bias, &data).potential(&model).unwrap();
        assert_eq!(potential.num_unused(), Ok(1));
    }

    #[test]
    fn inverse_roots_are_taken_of_every_coordinate() {
        let data = data();
        let potential = Risk::new(&loss, &data).potential(&model()).unwrap();
        let start = potential.start().unwrap();
        let squares = ParamVector::from_host(start.space(), &[0.0, 1.0, 9.0]).unwrap();
        let roots = potential.inverse_root(&squares, 1.0).unwrap();
        assert_eq!(roots.to_host().unwrap(), [1.0, 0.5, 0.25]);
    }
}
