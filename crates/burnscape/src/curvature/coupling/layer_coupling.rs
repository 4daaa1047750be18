use std::io;

use burnscape_krylov::Estimate;
use serde::{Deserialize, Serialize};

use super::LayerCouplingConfig;
use crate::writing::{Csv, FormatError, csv};

/// The result of [`LayerCouplingConfig::run`].
///
/// Rows and columns of the tables are the parameter tensors, in visit order; the tables are symmetric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LayerCoupling {
    /// The paths of the tensors.
    pub paths: Vec<String>,
    /// The number of coordinates of each.
    pub lens: Vec<usize>,
    /// `‖A_ij‖²_F`, the sum of the squares of the block's entries.
    pub squares: Vec<Vec<f64>>,
    /// The standard errors of the squares: zero where they are exact, none from a single round of probes.
    pub standard_errors: Option<Vec<Vec<f64>>>,
    /// Whether the numbers are exact, to rounding, and not estimates.
    pub exact: bool,
    /// Products used.
    pub num_matvecs: usize,
    /// The configuration, seed included.
    pub config: LayerCouplingConfig,
    /// False if the observer stopped the run: estimates are those of the rounds completed.
    pub completed: bool,
}

impl LayerCoupling {
    /// The coupling of two tensors without units: `‖A_ij‖_F / √(‖A_ii‖_F ‖A_jj‖_F)`, 1 for a tensor with itself.
    ///
    /// It does not change if the loss or one of the tensors is multiplied by a number. For a positive semidefinite
    /// matrix it is at most 1; for an indefinite one it may be larger, and an estimate may be, too. None for an index
    /// out of range, and where one of the two has no curvature.
    pub fn normalized(&self, first: usize, second: usize) -> Option<f64> {
        let block = |i: usize, j: usize| Some(self.squares.get(i)?.get(j)?.sqrt());
        let [one, other] = [block(first, first)?, block(second, second)?];
        let normalized = block(first, second)? / (one.sqrt() * other.sqrt());
        normalized.is_finite().then_some(normalized)
    }

    /// The share of `‖A‖²_F` outside of the diagonal blocks: what is lost if the matrix is replaced by its blocks. None
    /// for the zero matrix.
    pub fn off_diagonal_share(&self) -> Option<f64> {
        let (mut total, mut own) = (0.0, 0.0);
        for (i, row) in self.squares.iter().enumerate() {
            total += row.iter().sum::<f64>();
            own += row.get(i).copied().unwrap_or(0.0);
        }
        (total > 0.0).then(|| 1.0 - own / total)
    }
}

impl Csv for LayerCoupling {
    /// The columns `first,second,square,standard_error,normalized`, one line for each pair, a tensor with itself
    /// included. What is not defined is empty.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let text = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let count = self.paths.len();
        let pairs = (0..count).flat_map(|i| (i..count).map(move |j| (i, j)));
        let rows = pairs.map(|(i, j)| {
            let errors = self.standard_errors.as_ref();
            [
                self.paths[i].clone(),
                self.paths[j].clone(),
                self.squares[i][j].to_string(),
                text(errors.map(|errors| errors[i][j])),
                text(self.normalized(i, j)),
            ]
        });
        let header = ["first", "second", "square", "standard_error", "normalized"];
        Ok(csv(header, rows, writer)?)
    }
}

/// The squares that probes of the tensors gave: for each tensor `j` that was probed, one row `|(A v)_i|²` a round.
pub(super) struct Samples {
    /// `[j][i]`, the samples in the order of rounds.
    samples: Vec<Vec<Vec<f64>>>,
}

impl Samples {
    pub(super) fn new(count: usize) -> Self {
        Self {
            samples: vec![vec![Vec::new(); count]; count],
        }
    }

    /// Adds a round: for each tensor that was probed the squares of all tensors.
    pub(super) fn add(&mut self, round: Vec<Vec<f64>>) {
        for (samples, squares) in self.samples.iter_mut().zip(round) {
            for (all, square) in samples.iter_mut().zip(squares) {
                all.push(square);
            }
        }
    }

    /// The squares and their standard errors. A block and its transpose are estimated apart, and averaged.
    pub(super) fn tables(&self) -> (Vec<Vec<f64>>, Option<Vec<Vec<f64>>>) {
        let count = self.samples.len();
        let estimate = |i: usize, j: usize| {
            let own = Estimate::of(&self.samples[j][i]);
            if i == j {
                return (own.value, own.standard_error);
            }
            let other = Estimate::of(&self.samples[i][j]);
            let errors = own.standard_error.zip(other.standard_error);
            let value = 0.5 * (own.value + other.value);
            (value, errors.map(|(own, other)| 0.5 * own.hypot(other)))
        };
        let row = |i: usize| (0..count).map(|j| estimate(i, j)).collect::<Vec<_>>();
        let pairs: Vec<Vec<(f64, Option<f64>)>> = (0..count).map(row).collect();
        let squares = pairs.iter().map(|row| row.iter().map(|pair| pair.0));
        let errors = pairs.iter().map(|row| row.iter().map(|pair| pair.1));
        (
            squares.map(Iterator::collect::<Vec<f64>>).collect(),
            errors.map(Iterator::collect::<Option<Vec<f64>>>).collect(),
        )
    }
}
