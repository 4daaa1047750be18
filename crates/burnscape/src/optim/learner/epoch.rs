//! One pass over the data, event for event as Burn's strategies for one device and for several.

use burn::data::dataloader::{DataLoaderIterator, Progress};
use burn::train::metric::store::EventStoreClient;
use burn::train::{
    EventProcessorTraining, InferenceStep, Interrupter, Learner, LearnerEvent, LearnerModel,
    SupervisedTrainingEventProcessor, TrainLoader, TrainStep, TrainingError, TrainingItem,
    ValidLoader,
};

use super::error::StrategyError;
use super::group::{Group, Round};
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
    /// Rounds for each optimizer step, of a batch on every device.
    pub(super) accumulation: usize,
    pub(super) group: Option<Group<'a, M>>,
    /// Batches since the training began.
    pub(super) items: &'a mut usize,
    pub(super) epoch: usize,
    /// Items of this epoch, on all devices.
    pub(super) num_items: usize,
}

impl<'a, M> TrainEpoch<'a, M>
where
    M: LearnerModel,
    <M as TrainStep>::Input: Clone,
{
    /// Runs over all batches of all devices, each of which has a loader.
    pub(super) fn run(
        mut self,
        loaders: &[TrainLoader<M>],
        processor: &mut SupervisedTrainingEventProcessor<M>,
    ) {
        let (epoch, interrupter) = (self.epoch, self.interrupter);
        interrupter.fail_on_error(processor.process_train(LearnerEvent::StartSplit {
            epoch_number: epoch,
            total_items: self.num_items,
        }));
        let mut iterators: Vec<_> = loaders.iter().map(|loader| loader.iter()).collect();
        let outcome = self.take_all(&mut iterators, processor);
        interrupter.fail_on_error(outcome.map_err(StrategyError::from));
        interrupter.fail_on_error(processor.process_train(LearnerEvent::EndSplit(epoch)));
    }

    /// All rounds and their steps.
    fn take_all(
        &mut self,
        iterators: &mut [Batches<'_, <M as TrainStep>::Input>],
        processor: &mut SupervisedTrainingEventProcessor<M>,
    ) -> Result<(), OptimError> {
        let interrupter = self.interrupter;
        let mut iteration = 0;
        while let Some(round) = read_round(iterators, interrupter) {
            let progress = progress(iterators);
            for output in self.take(round, progress.is_completed())? {
                iteration += 1;
                let lr = Some(self.learner.lr_current());
                let item = TrainingItem::new(output, progress.clone(), Some(iteration), lr);
                let event = LearnerEvent::ProcessedItem(item);
                interrupter.fail_on_error(processor.process_train(event));
            }
            if interrupter.should_stop() {
                break;
            }
        }
        Ok(())
    }

    /// One round, and a step if it completes a group.
    fn take(
        &mut self,
        round: Round<M>,
        is_last: bool,
    ) -> Result<Vec<<M as TrainStep>::Output>, OptimError> {
        let mut group = match self.group.take() {
            Some(group) => group,
            None => Group::open(self.machine, self.learner, self.strategy)?,
        };
        let outputs = group.first_passes(round)?;
        *self.items += outputs.len();
        if group.num_rounds < self.accumulation && !is_last {
            self.group = Some(group);
        } else {
            self.step(group)?;
        }
        Ok(outputs)
    }

    /// The step of a group.
    fn step(&mut self, group: Group<'a, M>) -> Result<(), OptimError> {
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
        Ok(())
    }
}

/// The batches of one device.
type Batches<'a, B> = Box<dyn DataLoaderIterator<B> + 'a>;

/// The next batch of each device; nothing once all have ended.
fn read_round<B>(
    iterators: &mut [Batches<'_, B>],
    interrupter: &Interrupter,
) -> Option<Vec<Option<B>>> {
    let mut round = Vec::with_capacity(iterators.len());
    for iterator in iterators {
        let batch = iterator.next();
        let has_ended = batch.is_none();
        let batch = read(batch, interrupter);
        if batch.is_none() && !has_ended {
            return None;
        }
        round.push(batch);
    }
    round.iter().any(Option::is_some).then_some(round)
}

/// The progress of all devices together.
fn progress<B>(iterators: &[Batches<'_, B>]) -> Progress {
    let sum = iterators
        .iter()
        .map(|batches| batches.progress())
        .reduce(|sum, progress| Progress {
            items_processed: sum.items_processed + progress.items_processed,
            items_total: sum.items_total + progress.items_total,
            unit: sum.unit,
        });
    sum.unwrap_or_else(|| Progress::new(0, 0, None))
}

/// A validation epoch.
pub(super) fn validate<M: LearnerModel>(
    learner: &Learner<M>,
    loader: &ValidLoader<M>,
    epoch: usize,
    processor: &mut SupervisedTrainingEventProcessor<M>,
    interrupter: &Interrupter,
) {
    interrupter.fail_on_error(processor.process_valid(LearnerEvent::StartSplit {
        epoch_number: epoch,
        total_items: loader.num_items(),
    }));
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
    interrupter.fail_on_error(processor.process_valid(LearnerEvent::EndSplit(epoch)));
}

/// The next batch. One that cannot be read ends the training.
fn read<T, E: Into<TrainingError>>(
    batch: Option<Result<T, E>>,
    interrupter: &Interrupter,
) -> Option<T> {
    batch?.map_err(|error| interrupter.fail(error)).ok()
}
