//! The state of the learner's optimizer. It is private, but checkpointers get it.

use std::sync::mpsc::{Sender, channel};

use burn::optim::OptimizerRecord;
use burn::train::checkpoint::{
    AsyncCheckpointer, Checkpoint, Checkpointer, CheckpointerError, CheckpointingAction,
    CheckpointingStrategy,
};
use burn::train::metric::store::EventStoreClient;
use burn::train::{Learner, LearnerModel, LearningCheckpointer};

/// The record of the optimizer at this moment, from a checkpoint in memory.
///
/// Copies the weights to the host as well, as checkpoints do, and starts three short threads.
pub(super) fn optimizer_record<M: LearnerModel>(
    learner: &Learner<M>,
    store: &EventStoreClient,
) -> Result<OptimizerRecord, String> {
    let (sender, receiver) = channel();
    let mut checkpointer = LearningCheckpointer::new(
        outlet(None),
        outlet(Some(sender)),
        outlet(None),
        Box::new(Always),
    );
    checkpointer.checkpoint(learner, 0, store);
    // Waits for the threads.
    drop(checkpointer);
    receiver.try_recv().map_err(|_| {
        "Burn's `Learner` did not hand out the state of its optimizer; measure in a training loop of your own, with \
         `Moment::with_optimizer`"
            .to_string()
    })
}

fn outlet<R: Checkpoint>(sender: Option<Sender<R>>) -> AsyncCheckpointer<R> {
    AsyncCheckpointer::new(Outlet(sender))
}

/// Sends a record on instead of writing it, or drops it.
struct Outlet<R>(Option<Sender<R>>);

impl<R: Checkpoint> Checkpointer<R> for Outlet<R> {
    fn save(&self, _epoch: usize, record: R) -> Result<(), CheckpointerError> {
        if let Some(sender) = &self.0 {
            // Without a receiver nobody needs the record.
            drop(sender.send(record));
        }
        Ok(())
    }

    fn delete(&self, _epoch: usize) -> Result<(), CheckpointerError> {
        Ok(())
    }

    fn restore(&self, _epoch: usize) -> Result<R, CheckpointerError> {
        let message = "a record that was not written cannot be read";
        Err(CheckpointerError::Unknown(message.to_string()))
    }
}

/// Saves whenever it is asked.
struct Always;

impl CheckpointingStrategy for Always {
    fn checkpointing(
        &mut self,
        _epoch: usize,
        _store: &EventStoreClient,
    ) -> Vec<CheckpointingAction> {
        vec![CheckpointingAction::Save]
    }
}
