use burn::optim::GradientsAccumulator;
use burn::tensor::Tensor;
use burn::train::{LearnerModel, TrainOutput, TrainStep};

use crate::loss::scalar::check_scalar;
use crate::optim::OptimError;
use crate::optim::evaluation::{Evaluation, LossValue};
use crate::optim::sam::{Oracle, StepDraws};
use crate::space::ParamSpace;

/// Reads the loss from what a training step puts out.
pub(super) type LossOf<M> = dyn Fn(&<M as TrainStep>::Output) -> Tensor<1>;

/// The sum of the losses and gradients of several training steps, as Burn accumulates them.
pub(super) struct StepSum<M> {
    gradients: GradientsAccumulator<M>,
    loss: Option<Tensor<1>>,
}

impl<M: LearnerModel> StepSum<M> {
    pub(super) fn new() -> Self {
        Self {
            gradients: GradientsAccumulator::new(),
            loss: None,
        }
    }

    /// Adds a step, and gives back what its metrics want.
    pub(super) fn add(
        &mut self,
        model: &M,
        output: TrainOutput<<M as TrainStep>::Output>,
        loss_of: Option<&LossOf<M>>,
    ) -> Result<<M as TrainStep>::Output, OptimError> {
        if let Some(loss_of) = loss_of {
            let loss = loss_of(&output.item);
            check_scalar(&loss)?;
            let loss = loss.inner();
            self.loss = Some(match self.loss.take() {
                None => loss,
                Some(sum) => sum + loss,
            });
        }
        self.gradients.accumulate(model, output.grads);
        Ok(output.item)
    }

    pub(super) fn into_evaluation(mut self) -> Evaluation {
        Evaluation {
            loss: self.loss.map_or(LossValue::Unknown, LossValue::Tensor),
            gradients: self.gradients.grads(),
        }
    }
}

/// The oracle of a model's own training step, on the batches of one optimizer step.
pub(super) struct StepOracle<'a, M: LearnerModel> {
    pub(super) draws: StepDraws,
    pub(super) space: &'a ParamSpace,
    /// The pass at the weights, taken as the batches came in.
    pub(super) first: Option<Evaluation>,
    pub(super) batches: &'a [<M as TrainStep>::Input],
    pub(super) loss_of: Option<&'a LossOf<M>>,
}

impl<M> Oracle<M> for StepOracle<'_, M>
where
    M: LearnerModel,
    <M as TrainStep>::Input: Clone,
{
    fn first(&mut self, part: usize, model: &M) -> Result<Evaluation, OptimError> {
        match self.first.take() {
            Some(evaluation) => Ok(evaluation),
            None => self.displaced(part, model),
        }
    }

    fn displaced(&mut self, _part: usize, model: &M) -> Result<Evaluation, OptimError> {
        let mut sum = StepSum::new();
        for (index, batch) in self.batches.iter().enumerate() {
            self.draws.reseed(self.space, index);
            let output = TrainStep::step(model, batch.clone());
            sum.add(model, output, self.loss_of)?;
        }
        Ok(sum.into_evaluation())
    }
}
