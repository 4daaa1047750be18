//! One pass over the data, event for event as Burn's strategy for a single device.

use burn::train::metric::store::EventStoreClient;
use burn::train::{
    EventProcessorTraining, InferenceStep, Interrupter, Learner, LearnerEvent, LearnerModel,
    SupervisedTrainingEventProcessor, TrainLoader, TrainStep, TrainingError, TrainingItem,
    ValidLoader,
};

use super::group::Group;
use super::optimizer_record::optimizer_record;
use super::{SamStrategy, StepStart};
use crate::optim::OptimError;
use crate::optim::rate::base_rate;
use crate::optim::sam::SamMachine;

/// A training epoch under way.
pub(super) struct TrainEpoch<'a, M: LearnerModel> {
    pub(super) strategy: &'a SamStrategy<M>,
    pub(super) learner: &'a mut Learner<M>,
    pub(super) machine: &'a mut SamMachine,
    pub(super) interrupter: &'a Interrupter,
    pub(super) event_store: &'a EventStoreClient,
    /// Batches for each optimizer step.
    pub(super) accumulation: usize,
    pub(super) group: Option<Group<'a, M>>,
    /// Batches since the training began.
    pub(super) items: &'a mut usize,
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
    ) -> Result<(), OptimError> {
        let interrupter = self.interrupter;
        let mut iterator = loader.iter();
        let mut iteration = 0;
        while let Some(batch) = read(iterator.next(), interrupter) {
            iteration += 1;
            let progress = iterator.progress();
            let output = self.take(batch, progress.is_completed())?;
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
    ) -> Result<<M as TrainStep>::Output, OptimError> {
        let mut group = match self.group.take() {
            Some(group) => group,
            None => Group::open(self.machine, self.learner, self.strategy.loss_of())?,
        };
        let output = group.oracle.first_pass(&group.model, batch)?;
        *self.items += 1;
        if group.oracle.batches.len() < self.accumulation && !is_last {
            self.group = Some(group);
            return Ok(output);
        }
        // Burn steps its scheduler at this point too, so each optimizer step has the same rate.
        self.learner.lr_step();
        let start = StepStart {
            step: self.machine.step,
            lr: base_rate(&self.learner.lr_current(), &group.space)?,
            items: *self.items,
        };
        self.strategy.starts(&group.model, &start, self.interrupter);
        let (learner, store) = (&self.learner, self.event_store);
        let record = || optimizer_record(learner, store);
        self.strategy
            .measures(&group.model, &start, &record, self.interrupter);
        let report = group.step(self.machine, self.learner)?;
        self.strategy.reports(&report, self.interrupter);
        Ok(output)
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
