use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::draws::OwnDraws;
use super::lift::Lift;
use super::scalar::{called, check_scalar};
use super::{Batch, LossError, Mode, Objective};
use crate::space::{checkpointing_strategy, copy_for_gradients, epsilon, mix, to_host};

/// One pass over the data: a copy of the model, where batches are brought for it, and whose random
/// numbers the loss draws.
pub(super) struct Pass<M> {
    pub(super) model: M,
    lift: Lift,
    draws: Option<(OwnDraws, u64)>,
}

impl<M: Module> Pass<M> {
    /// A pass without gradients.
    pub(super) fn plain(model: &M) -> Self {
        Self {
            model: model.valid(),
            lift: Lift::Plain,
            draws: None,
        }
    }

    /// A pass with gradients.
    pub(super) fn on_autodiff(model: &M, mode: Mode) -> Self {
        let model = copy_for_gradients(model, mode == Mode::Train);
        let lift = Lift::Autodiff(checkpointing_strategy(&model));
        Self {
            model,
            lift,
            draws: None,
        }
    }

    /// The same with random numbers that are a function of the seed and the batch.
    pub(super) fn with_draws(mut self, seed: Option<u64>) -> Result<Self, LossError> {
        let device = self.model.devices().first().cloned();
        let device: Device = device.unwrap_or_default();
        self.draws = match seed {
            Some(seed) => Some((OwnDraws::begin(&device)?, seed)),
            None => None,
        };
        Ok(self)
    }

    /// The same on an autodiff device, with the draws that this one has.
    pub(super) fn again_on_autodiff(&mut self, model: &M, mode: Mode) {
        let draws = self.draws.take();
        *self = Self {
            draws,
            ..Self::on_autodiff(model, mode)
        };
    }

    pub(super) fn is_plain(&self) -> bool {
        matches!(self.lift, Lift::Plain)
    }

    /// The loss of the batch at `index`.
    pub(super) fn loss<B: Batch, O: Objective<M, B>>(
        &self,
        objective: &O,
        index: usize,
        batch: B,
    ) -> Result<Tensor<1>, LossError> {
        if let Some((draws, seed)) = &self.draws {
            draws.seed(mix(*seed, index as u64));
        }
        let loss = called(|| objective.loss(&self.model, self.lift.apply(batch)))?;
        check_scalar(&loss)?;
        Ok(loss)
    }

    /// Refuses a loss that is another one when it is evaluated again.
    ///
    /// # Cost
    ///
    /// One forward pass and one host synchronization; three of each in half precision.
    pub(super) fn check_draws<B: Batch, O: Objective<M, B>>(
        &self,
        objective: &O,
        batch: B,
        loss: &Tensor<1>,
    ) -> Result<(), LossError> {
        let epsilon = epsilon(loss.dtype());
        // Reductions on a GPU may run in any order. Numbers of half precision are so far apart that two of them
        // are often the same by chance, and three more seldom.
        let (times, tolerance) = match epsilon > 1e-4 {
            true => (3, 1.5 * epsilon),
            false => (1, 1e3 * epsilon),
        };
        for _ in 0..times {
            let again = self.loss(objective, 0, batch.clone())?;
            let both = Tensor::cat(vec![loss.clone().inner(), again.inner()], 0);
            let [first, second] = to_host(both)?[..] else {
                return Ok(());
            };
            // What is not finite is refused with its batch.
            if (first - second).abs() > tolerance * first.abs().max(second.abs()) {
                return Err(LossError::Draws);
            }
        }
        Ok(())
    }
}
