//! One pass over the data, event for event as Burn's strategy for a single device.

use burn::train::{
    EventProcessorTraining, InferenceStep, Interrupter, Learner, LearnerEvent, LearnerModel,
    SupervisedTrainingEventProcessor, TrainLoader, TrainStep, TrainingError, TrainingItem,
    ValidLoader,
};

use super::StepStart;
use super::group::Group;
use super::oracle::LossOf;
use crate::optim::rate::base_rate;
use crate::optim::sam::SamMachine;
use crate::optim::{OptimError, StepReport};

/// A training epoch under way.
pub(super) struct TrainEpoch<'a, M: LearnerModel> {
    pub(super) learner: &'a mut Learner<M>,
    pub(super) machine: &'a mut SamMachine,
    /// Batches for each optimizer step.
    pub(super) accumulation: usize,
    pub(super) loss_of: Option<&'a LossOf<M>>,
    pub(super) group: Option<Group<M>>,
    /// Batches taken in since the training began.
    pub(super) items: &'a mut usize,
}

/// Who looks on.
pub(super) struct Observers<'a, M> {
    /// Given the model and what is about to happen to it.
    pub(super) start: &'a mut dyn FnMut(&M, &StepStart),
    /// Given the report of each step.
    pub(super) report: &'a mut dyn FnMut(&StepReport),
}

impl<M> TrainEpoch<'_, M>
where
    M: LearnerModel,
    <M as TrainStep>::Input: Clone,
{
    /// Runs over all batches.
    pub(super) fn run(
        mut self,
        loader: &TrainLoader<M>,
        processor: &mut SupervisedTrainingEventProcessor<M>,
        interrupter: &Interrupter,
        observers: &mut Observers<'_, M>,
    ) -> Result<(), OptimError> {
        let mut iterator = loader.iter();
        let mut iteration = 0;
        while let Some(batch) = read(iterator.next(), interrupter) {
            iteration += 1;
            let progress = iterator.progress();
            let is_last = progress.is_completed();
            let (output, report) = self.take(batch, is_last, observers.start)?;
            if let Some(report) = &report {
                (observers.report)(report);
            }
            let lr = Some(self.learner.lr_current());
            let item = TrainingItem::new(output, progress, Some(iteration), lr);
            interrupter.fail_on_error(processor.process_train(LearnerEvent::ProcessedItem(item)));
            if interrupter.should_stop() {
                break;
            }
        }
        Ok(())
    }

    /// One batch, and a step if it completes a group.
    fn take(
        &mut self,
        batch: <M as TrainStep>::Input,
        is_last: bool,
        observe: &mut dyn FnMut(&M, &StepStart),
    ) -> Result<(<M as TrainStep>::Output, Option<StepReport>), OptimError> {
        let mut group = match self.group.take() {
            Some(group) => group,
            None => Group::open(self.machine, self.learner)?,
        };
        let output = group.first_pass(self.machine, batch, self.loss_of)?;
        *self.items += 1;
        if group.len() < self.accumulation && !is_last {
            self.group = Some(group);
            return Ok((output, None));
        }
        // Burn steps its scheduler at this point too, so each optimizer step has the same rate.
        self.learner.lr_step();
        let start = StepStart {
            step: self.machine.step,
            lr: base_rate(&self.learner.lr_current(), group.space())?,
            items: *self.items,
        };
        observe(group.model(), &start);
        let report = group.step(self.machine, self.learner, self.loss_of)?;
        Ok((output, Some(report)))
    }
}

/// A validation epoch.
pub(super) fn validate<M: LearnerModel>(
    learner: &Learner<M>,
    loader: &ValidLoader<M>,
    processor: &mut SupervisedTrainingEventProcessor<M>,
    interrupter: &Interrupter,
) {
    let model = learner.model().valid();
    let mut iterator = loader.iter();
    let mut iteration = 0;
    while let Some(batch) = read(iterator.next(), interrupter) {
        let progress = iterator.progress();
        iteration += 1;
        let output = InferenceStep::step(&model, batch);
        let item = TrainingItem::new(output, progress, Some(iteration), None);
        interrupter.fail_on_error(processor.process_valid(LearnerEvent::ProcessedItem(item)));
        if interrupter.should_stop() {
            break;
        }
    }
}

/// The next batch. One that cannot be read ends the training.
fn read<T, E: Into<TrainingError>>(
    batch: Option<Result<T, E>>,
    interrupter: &Interrupter,
) -> Option<T> {
    batch?.map_err(|error| interrupter.fail(error)).ok()
}
