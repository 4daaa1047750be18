use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Cost, Reading};
use crate::writing::{Csv, FormatError, csv};

/// A reading and the step that it belongs to. Several are a table: see [`Csv`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Observation<R> {
    /// The step, as the caller counts. The reading is that of the weights before it.
    pub step: usize,
    /// The learning rate of the step.
    pub lr: f64,
    /// What was measured.
    pub reading: R,
}

impl<R: Reading> Csv for [Observation<R>] {
    /// One line for each observation: `step`, `lr`, the [quantities](Reading::quantities) of the reading, and
    /// `cost_in_gradients`. A quantity that a reading does not have is an empty cell.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let quantities = R::quantities();
        let names = quantities.iter().map(|quantity| quantity.name);
        let rows = self.iter().map(|observation| {
            let place = [observation.step.to_string(), observation.lr.to_string()];
            let values = quantities.iter().map(move |quantity| {
                let value = (quantity.value)(&observation.reading);
                value.map_or_else(String::new, |value| value.to_string())
            });
            let cost = observation.reading.cost().in_gradients().to_string();
            place.into_iter().chain(values).chain([cost])
        });
        let header = ["step", "lr"].into_iter().chain(names);
        Ok(csv(header.chain(["cost_in_gradients"]), rows, writer)?)
    }
}

/// The observations of a [`Watch`](super::Watch) so far.
///
/// A handle: copies share what they show, also while the watch measures on another thread, and after it has been added
/// to [`Monitors`](super::Monitors).
#[derive(Debug)]
pub struct Readings<R>(Arc<Mutex<Vec<Observation<R>>>>);

impl<R: Reading> Readings<R> {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    pub(super) fn push(&self, observation: Observation<R>) {
        self.observations().push(observation);
    }

    pub(super) fn replace(&self, observations: Vec<Observation<R>>) {
        *self.observations() = observations;
    }

    /// The observations, oldest first. As a slice they are a table ([`Csv`]), and in any format of `serde`
    /// ([`Json`](crate::Json)) a list.
    pub fn to_vec(&self) -> Vec<Observation<R>> {
        self.observations().clone()
    }

    /// The latest observation.
    pub fn last(&self) -> Option<Observation<R>> {
        self.observations().last().cloned()
    }

    /// The number of observations.
    pub fn len(&self) -> usize {
        self.observations().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The work of all measurements so far, beyond the training.
    pub fn cost(&self) -> Cost {
        let mut sum = Cost::default();
        for observation in self.observations().iter() {
            sum += observation.reading.cost();
        }
        sum
    }

    /// The same for all copies of a handle.
    #[cfg(feature = "train")]
    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    fn observations(&self) -> MutexGuard<'_, Vec<Observation<R>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R> Clone for Readings<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
