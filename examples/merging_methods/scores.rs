//! Losses and accuracies of merged networks, over repetitions.

use burnscape::krylov::Estimate;

use super::data::Data;
use super::network::Net;
use super::predictions::Predictions;
use crate::training_dynamics::table::{table, with_error};

/// Differences are clear if an interval with this confidence excludes zero.
const CONFIDENCE: f64 = 0.95;

/// The loss and accuracy of one network or ensemble.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Score {
    train_loss: f64,
    test_loss: f64,
    train_accuracy: f64,
    test_accuracy: f64,
}

impl Score {
    pub(crate) fn of(net: &Net, data: &Data) -> Self {
        Self::of_ensemble(&[net], data)
    }

    /// That of the mean of their probabilities.
    pub(crate) fn of_ensemble(nets: &[&Net], data: &Data) -> Self {
        let [train, test] = [&data.train, &data.test].map(|set| {
            let all = nets.iter().map(|net| Predictions::of(net, set));
            (Predictions::mean(&all.collect::<Vec<_>>()), set)
        });
        Self {
            train_loss: train.0.loss(train.1),
            test_loss: test.0.loss(test.1),
            train_accuracy: train.0.accuracy(train.1),
            test_accuracy: test.0.accuracy(test.1),
        }
    }
}

/// Scores by name, in the order in which names come first; one for each repetition.
#[derive(Debug, Default)]
pub(crate) struct Scores {
    rows: Vec<(String, Vec<Score>)>,
}

impl Scores {
    pub(crate) fn add(&mut self, name: &str, score: Score) {
        match self.rows.iter_mut().find(|(known, _)| known == name) {
            Some((_, scores)) => scores.push(score),
            None => self.rows.push((name.to_string(), vec![score])),
        }
    }

    pub(crate) fn print(&self) {
        let headings = [
            "",
            "train loss",
            "test loss",
            "train accuracy %",
            "test accuracy %",
        ];
        let rows = self.rows.iter().map(|(name, scores)| {
            let column = |value: fn(&Score) -> f64, decimals| {
                with_error(&scores.iter().map(value).collect::<Vec<f64>>(), decimals)
            };
            vec![
                name.clone(),
                column(|score| score.train_loss, 4),
                column(|score| score.test_loss, 4),
                column(|score| score.train_accuracy, 2),
                column(|score| score.test_accuracy, 2),
            ]
        });
        table(&headings, &rows.collect::<Vec<_>>());
    }

    /// The accuracy of one row on the test images beside that of another one, repetition by repetition, in words.
    pub(crate) fn compared(&self, name: &str, with: &str) -> String {
        let [own, other] = [name, with].map(|name| self.accuracies(name));
        let gaps = own.iter().zip(&other).map(|(own, other)| own - other);
        let gap = Estimate::of(&gaps.collect::<Vec<f64>>());
        let side = if gap.value < 0.0 { "below" } else { "above" };
        let points = gap.value.abs();
        let clearly = match gap.half_width(CONFIDENCE) {
            None => "one repetition says nothing",
            Some(width) if width >= points => "no clear difference",
            Some(_) => "a clear difference",
        };
        let error = gap.standard_error.map(|error| format!(" ± {error:.2}"));
        let error = error.unwrap_or_default();
        format!("{name}: {points:.2}{error} points {side} {with}, {clearly}")
    }

    /// The name of the row with the highest mean accuracy on the test images, of those that `is_candidate`.
    pub(crate) fn best(&self, is_candidate: impl Fn(&str) -> bool) -> Option<&str> {
        let rows = self.rows.iter().filter(|(name, _)| is_candidate(name));
        let means = rows.map(|(name, _)| (name, Estimate::of(&self.accuracies(name)).value));
        let best = means.max_by(|a, b| a.1.total_cmp(&b.1));
        best.map(|(name, _)| name.as_str())
    }

    fn accuracies(&self, name: &str) -> Vec<f64> {
        let row = self.rows.iter().find(|(known, _)| known == name);
        let scores = row.iter().flat_map(|(_, scores)| scores);
        scores.map(|score| score.test_accuracy).collect()
    }
}
