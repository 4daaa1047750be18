use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::train::LearnerModel;

use super::series::Source;
use crate::dynamics::{DynamicsError, Moment, Monitors, MonitorsRecord};
use crate::optim::{RecordOf, StepStart, StepWatcher};

/// What a [`LearnerMonitors`](super::LearnerMonitors) and its strategies share.
///
/// A measurement holds the monitors for as long as it takes, but neither the error nor the sources.
pub(super) struct Shared<M> {
    pub(super) monitors: Mutex<Monitors<'static, M>>,
    pub(super) sources: Mutex<Vec<Source>>,
    pub(super) error: Mutex<Option<DynamicsError>>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<M: LearnerModel> StepWatcher<M> for Shared<M> {
    fn begin(&self) {
        *lock(&self.error) = None;
        for source in lock(&self.sources).iter_mut() {
            source.begin();
        }
    }

    fn observe(&self, model: &M, start: &StepStart, record: &RecordOf<'_>) -> Result<(), String> {
        let mut monitors = lock(&self.monitors);
        if !monitors.is_due(start.step) {
            return Ok(());
        }
        let record = || record().map_err(|message| DynamicsError::Record { message });
        let moment = Moment::new(start.step, start.lr, model).with_record(&record);
        let observed = monitors.observe(&moment);
        // Also after an error, which may be that of the last of several watches.
        for source in lock(&self.sources).iter_mut() {
            source.follow(start.items);
        }
        let error = match observed {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        let message = error.to_string();
        lock(&self.error).get_or_insert(error);
        Err(message)
    }

    fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let record = lock(&self.monitors).to_record().map_err(text)?;
        rmp_serde::to_vec_named(&record).map_err(text)
    }

    fn load(&self, bytes: &[u8]) -> Result<(), String> {
        let record: MonitorsRecord = rmp_serde::from_slice(bytes).map_err(text)?;
        lock(&self.monitors).load_record(record).map_err(text)
    }
}

fn text(error: impl std::error::Error) -> String {
    error.to_string()
}
