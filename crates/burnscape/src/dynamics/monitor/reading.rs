use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Cost;

/// What one measurement found: plain data.
///
/// [`Monitor`](super::Monitor) has an example.
pub trait Reading: Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The numbers of a reading: columns of a table, and metrics of Burn's `Learner`.
    fn quantities() -> &'static [Quantity<Self>];

    /// The work of the measurement, beyond the training.
    fn cost(&self) -> Cost;
}

/// A number of a reading.
#[derive(Debug)]
pub struct Quantity<R> {
    /// A name in `snake_case`, unique among the quantities of a reading: the header of a column, and part of the name of
    /// a file in Burn's logs.
    pub name: &'static str,
    /// What it is, in one line.
    pub description: &'static str,
    /// The number in a reading; none if that reading does not have it.
    pub value: fn(&R) -> Option<f64>,
}

impl<R> Clone for Quantity<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Quantity<R> {}
