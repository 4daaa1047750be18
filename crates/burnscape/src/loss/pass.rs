use burn::module::Module;
use burn::tensor::Tensor;

use super::draws::BatchDraws;
use super::lift::Lift;
use super::risk::{Risk, RiskBatch};
use super::scalar::{called, check_scalar};
use super::{LossError, Mode, Reduction};
use crate::space::{copy_for_gradients, epsilon, to_host};

/// One pass over the data: a copy of the model, the context of the batches, and the source of random numbers.
pub(super) struct Pass<M> {
    pub(super) model: M,
    lift: Lift,
    reduction: Reduction,
    draws: BatchDraws,
}

impl<M: Module> Pass<M> {
    /// A pass of a risk, with or without gradients.
    pub(super) fn of<K>(
        risk: &Risk<'_, M, K>,
        model: &M,
        gradients: bool,
    ) -> Result<Self, LossError> {
        let mode = risk.mode();
        // Burn uses batch statistics only on an autodiff device, so a pass in training mode needs one.
        let (model, lift) = if gradients || mode == Mode::Train {
            on_autodiff(model, mode)
        } else {
            (model.valid(), Lift::Plain)
        };
        let device = model.devices().first().cloned().unwrap_or_default();
        let draws = BatchDraws::new(risk.draws(), &device)?;
        Ok(Self {
            model,
            lift,
            reduction: risk.reduction(),
            draws,
        })
    }

    /// Moves the pass to an autodiff device and keeps its draws.
    pub(super) fn again_on_autodiff(&mut self, model: &M, mode: Mode) {
        (self.model, self.lift) = on_autodiff(model, mode);
    }

    pub(super) fn is_plain(&self) -> bool {
        matches!(self.lift, Lift::Plain)
    }

    /// The loss of the batch at `index`.
    pub(super) fn loss(
        &self,
        index: usize,
        batch: &dyn RiskBatch<M>,
    ) -> Result<Tensor<1>, LossError> {
        self.draws.begin(index);
        let loss = called(|| batch.loss(&self.model, self.lift, self.reduction))?;
        check_scalar(&loss)?;
        Ok(loss)
    }

    /// The outputs of the batch at `index`, or the losses of its examples, flat.
    pub(super) fn outputs(
        &self,
        index: usize,
        batch: &dyn RiskBatch<M>,
    ) -> Result<Tensor<1>, LossError> {
        self.draws.begin(index);
        called(|| batch.outputs(&self.model, self.lift))
    }

    /// Returns an error if the loss changes when it is evaluated again.
    ///
    /// # Cost
    ///
    /// One forward pass and one host synchronization; three of each in half precision.
    pub(super) fn check_draws(
        &self,
        batch: &dyn RiskBatch<M>,
        loss: &Tensor<1>,
    ) -> Result<(), LossError> {
        let epsilon = epsilon(loss.dtype());
        // Reductions on a GPU may run in any order. In half precision, two random losses are often equal by chance,
        // so it compares three times.
        let (times, tolerance) = if epsilon > 1e-4 {
            (3, 1.5 * epsilon)
        } else {
            (1, 1e3 * epsilon)
        };
        for _ in 0..times {
            let again = self.loss(0, batch)?;
            let both = Tensor::cat(vec![loss.clone().inner(), again.inner()], 0);
            let [first, second] = to_host(both)?[..] else {
                return Ok(());
            };
            // A loss that is not finite is reported later, with its batch.
            if (first - second).abs() > tolerance * first.abs().max(second.abs()) {
                return Err(LossError::Draws);
            }
        }
        Ok(())
    }
}

fn on_autodiff<M: Module>(model: &M, mode: Mode) -> (M, Lift) {
    let model = copy_for_gradients(model, mode == Mode::Train);
    let lift = Lift::for_gradients(&model);
    (model, lift)
}
