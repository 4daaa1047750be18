use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::dynamics::{CurvatureHistory, CurvatureReading, DynamicsError};

/// The readings of a [`LearnerMonitor`](super::LearnerMonitor) so far. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct CurvatureReadings(Arc<Mutex<Found>>);

#[derive(Debug, Default)]
struct Found {
    history: CurvatureHistory,
    /// For each reading, the item of the training split that it belongs to, from 1.
    items: Vec<usize>,
    error: Option<DynamicsError>,
}

impl CurvatureReadings {
    /// The readings, oldest first.
    pub fn history(&self) -> CurvatureHistory {
        self.found().history.clone()
    }

    /// The error of the measurement that failed and interrupted the training, if one did.
    pub fn error(&self) -> Option<DynamicsError> {
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

    /// The latest reading at `item` or before, and whether it is of that item.
    pub(super) fn at(&self, item: usize) -> Option<(CurvatureReading, bool)> {
        let found = self.found();
        let count = found.items.partition_point(|&of| of <= item);
        let index = count.checked_sub(1)?;
        let reading = found.history.readings()[index].clone();
        Some((reading, found.items[index] == item))
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
