use burn::optim::GradientsAccumulator;
use burn::tensor::{Device, Tensor};
use burn::train::{LearnerModel, TrainStep};

use crate::loss::scalar::check_scalar;
use crate::optim::OptimError;
use crate::optim::evaluation::{Evaluation, LossValue};
use crate::optim::sam::{Oracle, StepDraws};

/// Reads the loss from the output of a training step, on any thread.
pub(super) type LossOf<M> = dyn Fn(&<M as TrainStep>::Output) -> Tensor<1> + Send + Sync;

/// The oracle of a model's own training step, on the batches of one optimizer step that are on one device.
pub(super) struct StepOracle<'a, M: LearnerModel> {
    draws: StepDraws,
    device: Device,
    /// Among all batches of the step: the place of the first one, and the distance to the next.
    places: (usize, usize),
    loss_of: Option<&'a LossOf<M>>,
    batches: Vec<<M as TrainStep>::Input>,
    /// The sum at the weights, taken as the batches came in.
    first: StepSum<M>,
}

/// The sum of the losses and gradients of several training steps, as Burn accumulates them.
pub(super) struct StepSum<M> {
    gradients: GradientsAccumulator<M>,
    loss: LossValue,
}

impl<M> Default for StepSum<M> {
    fn default() -> Self {
        Self {
            gradients: GradientsAccumulator::new(),
            loss: LossValue::Unknown,
        }
    }
}

impl<'a, M: LearnerModel> StepOracle<'a, M> {
    pub(super) fn new(
        draws: StepDraws,
        device: Device,
        places: (usize, usize),
        loss_of: Option<&'a LossOf<M>>,
    ) -> Self {
        Self {
            draws,
            device,
            places,
            loss_of,
            batches: Vec::new(),
            first: StepSum::default(),
        }
    }
}

impl<M> StepOracle<'_, M>
where
    M: LearnerModel,
    <M as TrainStep>::Input: Clone,
{
    /// The pass of a new batch at the weights. Returns the output for Burn's metrics.
    pub(super) fn first_pass(
        &mut self,
        model: &M,
        batch: <M as TrainStep>::Input,
    ) -> Result<<M as TrainStep>::Output, OptimError> {
        let mut sum = std::mem::take(&mut self.first);
        self.batches.push(batch);
        let output = self.add(&mut sum, model, self.batches.len() - 1)?;
        self.first = sum;
        Ok(output)
    }

    /// Adds the training step on a batch.
    fn add(
        &self,
        sum: &mut StepSum<M>,
        model: &M,
        index: usize,
    ) -> Result<<M as TrainStep>::Output, OptimError> {
        let (start, distance) = self.places;
        self.draws
            .reseed_device(&self.device, start + distance * index);
        let output = TrainStep::step(model, self.batches[index].clone());
        if let Some(loss_of) = self.loss_of {
            let loss = loss_of(&output.item);
            check_scalar(&loss)?;
            let loss = loss.inner();
            sum.loss = LossValue::Tensor(match sum.loss.take_tensor() {
                None => loss,
                Some(sum) => sum + loss,
            });
        }
        sum.gradients.accumulate(model, output.grads);
        Ok(output.item)
    }
}

impl<M> Oracle<M> for StepOracle<'_, M>
where
    M: LearnerModel,
    <M as TrainStep>::Input: Clone,
{
    fn first(&mut self, _part: usize, _model: &M) -> Result<Evaluation, OptimError> {
        Ok(std::mem::take(&mut self.first).into())
    }

    fn displaced(&mut self, _part: usize, model: &M) -> Result<Evaluation, OptimError> {
        let mut sum = StepSum::default();
        for index in 0..self.batches.len() {
            self.add(&mut sum, model, index)?;
        }
        Ok(sum.into())
    }
}

impl<M: LearnerModel> From<StepSum<M>> for Evaluation {
    fn from(mut sum: StepSum<M>) -> Self {
        Self {
            loss: sum.loss,
            gradients: sum.gradients.grads(),
        }
    }
}
