//! What one repetition of a part finds.

use super::data::Data;
use super::predictions::Predictions;
use crate::Failure;
use crate::studies::criteria::merging::{ACCURACY, row};
use crate::studies::network::Mlp;

/// The mean of the probabilities of the same networks.
pub(super) const ENSEMBLE: &str = "ensemble";
pub(super) const LOSS: &str = "test loss";

/// Cells of the table, and lines of charts.
pub(super) struct Repetition {
    part: &'static str,
    /// Rows, columns and numbers.
    pub(super) cells: Vec<(String, &'static str, f64)>,
    /// The losses on held-out images of a method by its scale.
    pub(super) by_scale: Vec<(&'static str, Vec<f64>)>,
}

impl Repetition {
    pub(super) fn of(part: &'static str) -> Self {
        Self {
            part,
            cells: Vec::new(),
            by_scale: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, name: &str, column: &'static str, value: f64) {
        self.cells.push((row(self.part, name), column, value));
    }

    /// Losses and accuracies of a network.
    pub(super) fn score(&mut self, name: &str, net: &Mlp, data: &Data) -> Result<(), Failure> {
        self.score_ensemble(name, &[net], data)
    }

    /// Those of the mean of the probabilities of networks.
    pub(super) fn score_ensemble(
        &mut self,
        name: &str,
        nets: &[&Mlp],
        data: &Data,
    ) -> Result<(), Failure> {
        for (set, loss, accuracy) in [
            (&data.train, "training loss", "training accuracy, %"),
            (&data.test, LOSS, ACCURACY),
        ] {
            let all = nets.iter().map(|net| Predictions::of(net, set));
            let mean = Predictions::mean(&all.collect::<Result<Vec<_>, Failure>>()?);
            self.push(name, loss, mean.loss(set));
            self.push(name, accuracy, mean.accuracy(set));
        }
        Ok(())
    }
}
