use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::dynamics::{CurvatureReading, DynamicsError};

/// The readings so far, shared by a [`LearnerMonitor`](super::LearnerMonitor), its strategy and its metrics, which run
/// on another thread.
#[derive(Debug, Clone, Default)]
pub(super) struct Readings(Arc<Mutex<Found>>);

#[derive(Debug, Default)]
struct Found {
    history: Vec<CurvatureReading>,
    /// For each reading, the item of the training split that it belongs to, from 1.
    items: Vec<usize>,
    error: Option<DynamicsError>,
}

impl Readings {
    pub(super) fn history(&self) -> Vec<CurvatureReading> {
        self.found().history.clone()
    }

    pub(super) fn error(&self) -> Option<DynamicsError> {
        self.found().error.clone()
    }

    pub(super) fn push(&self, item: usize, reading: CurvatureReading) {
        let mut found = self.found();
        found.history.push(reading);
        found.items.push(item);
    }

    pub(super) fn fail(&self, error: DynamicsError) {
        self.found().error.get_or_insert(error);
    }

    /// The latest reading at `item` or before, and whether it belongs to that item.
    pub(super) fn at(&self, item: usize) -> Option<(CurvatureReading, bool)> {
        let found = self.found();
        let count = found.items.partition_point(|&own| own <= item);
        let index = count.checked_sub(1)?;
        Some((found.history[index].clone(), found.items[index] == item))
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
