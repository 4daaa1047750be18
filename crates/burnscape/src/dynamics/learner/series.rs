use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::dynamics::{Reading, Readings};

/// The values of one quantity in the training that runs. A metric, on another thread, shows them.
#[derive(Debug, Clone, Default)]
pub(super) struct Series(Arc<Mutex<Vec<Entry>>>);

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// The item of the training split that the reading belongs to, from 1.
    item: usize,
    /// None if the reading has no such quantity.
    value: Option<f64>,
}

impl Series {
    /// The value in the latest reading at `item` or before, and whether the reading belongs to that item. None without a
    /// reading.
    pub(super) fn at(&self, item: usize) -> Option<(Option<f64>, bool)> {
        let entries = self.entries();
        let count = entries.partition_point(|entry| entry.item <= item);
        let latest = entries.get(count.checked_sub(1)?)?;
        Some((latest.value, latest.item == item))
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fills the series of a metric with the readings of a watch.
pub(super) struct Source {
    /// The address of the readings.
    pub(super) watch: usize,
    /// The name of the metric.
    pub(super) name: String,
    /// The number of readings, and the value in the last one.
    latest: Box<dyn Fn() -> (usize, Option<f64>) + Send>,
    /// Readings so far.
    seen: usize,
    series: Series,
}

impl Source {
    pub(super) fn new<R: Reading>(
        (watch, name): (usize, String),
        readings: Readings<R>,
        value: fn(&R) -> Option<f64>,
    ) -> Self {
        let latest = move || {
            let last = readings.last();
            (readings.len(), last.and_then(|last| value(&last.reading)))
        };
        let mut source = Self {
            watch,
            name,
            latest: Box::new(latest),
            seen: 0,
            series: Series::default(),
        };
        source.begin();
        source
    }

    pub(super) fn series(&self) -> Series {
        self.series.clone()
    }

    /// A training begins: the readings so far are not its own.
    pub(super) fn begin(&mut self) {
        (self.seen, _) = (self.latest)();
        self.series.entries().clear();
    }

    /// Takes a new reading, if there is one, as that of an item.
    pub(super) fn follow(&mut self, item: usize) {
        let (count, value) = (self.latest)();
        if count > self.seen {
            self.seen = count;
            self.series.entries().push(Entry { item, value });
        }
    }
}
