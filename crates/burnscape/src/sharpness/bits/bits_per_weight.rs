use std::io;

use serde::{Deserialize, Serialize};

use super::BitsPerWeightConfig;
use crate::writing::{Csv, FormatError, csv, number};

/// The result of [`BitsPerWeightConfig::run`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BitsPerWeight {
    /// The fewest bits whose average rise is at most the threshold; none if the most bits allowed are too few.
    pub bits: Option<u32>,
    /// The numbers of bits tried, in ascending order.
    pub tried: Vec<u32>,
    /// The average rise of the loss for each; infinite where a loss is not finite.
    #[serde(with = "number")]
    pub rises: Vec<f64>,
    /// The standard error of each over the draws. None for a single draw, and for an infinite rise.
    pub standard_errors: Vec<Option<f64>>,
    /// The rise if each weight is rounded to the center of its cell, without a random offset: of the one model that
    /// such a rounding makes. It may have either sign.
    #[serde(with = "number")]
    pub rounded_rises: Vec<f64>,
    /// The loss `L(w)`.
    pub base_loss: f64,
    /// Passes over the data, including that for the base loss.
    pub num_losses: usize,
    /// The configuration, seed included.
    pub config: BitsPerWeightConfig,
    /// False if the observer stopped the search: `bits` are then the fewest that were tried and are enough.
    pub completed: bool,
}

/// One number of bits.
pub(super) struct Tried {
    pub(super) bits: u32,
    pub(super) rise: f64,
    pub(super) standard_error: Option<f64>,
    pub(super) rounded_rise: f64,
}

impl BitsPerWeight {
    /// Adds a number of bits in its place.
    pub(super) fn add(&mut self, tried: Tried) {
        let place = self.tried.partition_point(|bits| *bits < tried.bits);
        self.tried.insert(place, tried.bits);
        self.rises.insert(place, tried.rise);
        self.standard_errors.insert(place, tried.standard_error);
        self.rounded_rises.insert(place, tried.rounded_rise);
    }
}

impl Csv for BitsPerWeight {
    /// The columns `bits,rise,standard_error,rounded_rise`, one line for each number of bits tried.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let rows = self.tried.iter().enumerate().map(|(index, bits)| {
            let error = self.standard_errors[index].map(|error| error.to_string());
            [
                bits.to_string(),
                self.rises[index].to_string(),
                error.unwrap_or_default(),
                self.rounded_rises[index].to_string(),
            ]
        });
        let header = ["bits", "rise", "standard_error", "rounded_rise"];
        Ok(csv(header, rows, writer)?)
    }
}
