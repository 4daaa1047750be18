use std::{fmt, io};

use burnscape_krylov::Estimate;
use serde::{Deserialize, Serialize};

use super::{TicketSearchConfig, WeightMask};
use crate::writing::{Csv, FormatError, csv, number, write_aligned};

/// The result of a [`TicketSearchConfig`]. [`Display`](fmt::Display) is a table.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct TicketSearch<M> {
    /// The levels, from all weights to the fewest.
    pub levels: Vec<TicketLevel>,
    /// The model of each seed at step `rewind`, with all weights: `masks[i].apply_to(&rewound[i])` is where the ticket
    /// of a level starts. They are not in the JSON.
    #[serde(skip)]
    pub rewound: Vec<M>,
    /// Training runs, with those to step `rewind`.
    pub num_runs: usize,
    /// The configuration.
    pub config: TicketSearchConfig,
    /// False if the observer stopped the search: the levels are those that were finished.
    pub completed: bool,
}

/// One level of a search: networks with the same number of weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TicketLevel {
    /// Number of kept weights.
    pub num_kept: usize,
    /// Their share of the weights that can be pruned.
    pub kept_share: f64,
    /// The mask of each seed.
    pub masks: Vec<WeightMask>,
    /// The weights that stayed, rewound and trained; at level 0 all weights.
    pub ticket: TicketScores,
    /// The same weights from another initialization. None at level 0, and without this control.
    pub reinitialized: Option<TicketScores>,
    /// Random weights, as many in every layer. None at level 0, and without this control.
    pub random_mask: Option<TicketScores>,
    /// The same weights from step 0. None at level 0, without this control, and where tickets start there.
    pub from_initialization: Option<TicketScores>,
}

/// The scores of one kind of network, over the seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TicketScores {
    /// The score of each seed: the value of the risk. Where training diverged, it may be NaN or infinite.
    #[serde(with = "number")]
    pub scores: Vec<f64>,
    /// Their mean.
    #[serde(with = "number")]
    pub mean: f64,
    /// The standard deviation of the mean. None for a single seed.
    #[serde(with = "number")]
    pub standard_error: Option<f64>,
}

impl TicketScores {
    /// The scores; none if there are none.
    pub(super) fn of(scores: Vec<f64>) -> Option<Self> {
        if scores.is_empty() {
            return None;
        }
        let mean = Estimate::of(&scores);
        Some(Self {
            scores,
            mean: mean.value,
            standard_error: mean.standard_error,
        })
    }

    /// The mean over the seeds of these scores minus those of `other`, with its standard error.
    ///
    /// What a seed does to both scores alike cancels, so that the error is smaller than those of the two means suggest.
    pub fn minus(&self, other: &Self) -> Estimate {
        let pairs = self.scores.iter().zip(&other.scores);
        let differences: Vec<f64> = pairs.map(|(score, other)| score - other).collect();
        Estimate::of(&differences)
    }
}

impl TicketLevel {
    /// All scores, in the order of the table.
    fn each(&self) -> [Option<&TicketScores>; 4] {
        [
            Some(&self.ticket),
            self.reinitialized.as_ref(),
            self.random_mask.as_ref(),
            self.from_initialization.as_ref(),
        ]
    }
}

impl<M> fmt::Display for TicketSearch<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = [
            "kept",
            "weights",
            "ticket",
            "reinitialized",
            "random mask",
            "from step 0",
        ];
        let mut cells = vec![header.map(str::to_owned)];
        for level in &self.levels {
            let [ticket, reinitialized, random_mask, from_initialization] = level.each().map(shown);
            cells.push([
                format!("{:.1} %", 100.0 * level.kept_share),
                level.num_kept.to_string(),
                ticket,
                reinitialized,
                random_mask,
                from_initialization,
            ]);
        }
        write_aligned(f, &cells, [true; 6])
    }
}

fn shown(scores: Option<&TicketScores>) -> String {
    match scores {
        None => "–".to_owned(),
        Some(TicketScores {
            mean,
            standard_error: Some(error),
            ..
        }) => format!("{mean:.4} ± {error:.4}"),
        Some(TicketScores { mean, .. }) => format!("{mean:.4}"),
    }
}

impl<M> Csv for TicketSearch<M> {
    /// One line for each level: `level,num_kept,kept_share`, and the mean and the standard error of `ticket`,
    /// `reinitialized`, `random_mask` and `from_initialization`, NaN where there is none.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let header = [
            "level",
            "num_kept",
            "kept_share",
            "ticket",
            "ticket_error",
            "reinitialized",
            "reinitialized_error",
            "random_mask",
            "random_mask_error",
            "from_initialization",
            "from_initialization_error",
        ];
        let rows = self.levels.iter().enumerate().map(|(index, level)| {
            let mut row = vec![
                index.to_string(),
                level.num_kept.to_string(),
                level.kept_share.to_string(),
            ];
            for scores in level.each() {
                let mean = scores.map_or(f64::NAN, |scores| scores.mean);
                let error = scores.and_then(|scores| scores.standard_error);
                row.push(mean.to_string());
                row.push(error.unwrap_or(f64::NAN).to_string());
            }
            row
        });
        Ok(csv(header, rows, writer)?)
    }
}
