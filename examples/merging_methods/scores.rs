//! Losses and accuracies of merged networks, over repetitions.

use burnscape::krylov::Estimate;

use super::data::Data;
use super::network::Net;
use super::predictions::Predictions;
use super::verdicts::capitalized;
use crate::training_dynamics::table::{table, with_error};

/// A difference is clear if an interval with this confidence does not contain zero.
pub(crate) const CONFIDENCE: f64 = 0.95;

/// The loss and accuracy of one network or ensemble.
#[derive(Debug, Clone, Copy, PartialEq)]
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

    /// The accuracy of one row on the test images beside that of another one, repetition by repetition, in a sentence.
    pub(crate) fn compared(&self, name: &str, with: &str) -> String {
        let [own, other] = [name, with].map(|name| self.accuracies(name));
        let gaps = own.iter().zip(&other).map(|(own, other)| own - other);
        let gaps: Vec<f64> = gaps.collect();
        let name = capitalized(name);
        if gaps.iter().all(|gap| *gap == 0.0) {
            let count = gaps.len();
            return format!("{name}: as accurate as the {with} in {count} of {count} repetitions.");
        }
        let gap = Estimate::of(&gaps);
        let side = if gap.value < 0.0 { "below" } else { "above" };
        let points = gap.value.abs();
        let clearly = match gap.half_width(CONFIDENCE) {
            None => "one repetition, which does not tell",
            Some(width) if width >= points => "not clear",
            Some(_) => "clear",
        };
        let error = gap.standard_error.map(|error| format!(" ± {error:.2}"));
        let error = error.unwrap_or_default();
        format!("{name}: {points:.2}{error} points {side} the {with} ({clearly}).")
    }

    /// Whether two rows have the same scores in every repetition.
    pub(crate) fn are_equal(&self, one: &str, other: &str) -> bool {
        self.row(one) == self.row(other)
    }

    /// The mean accuracy of a row on the test images.
    pub(crate) fn accuracy(&self, name: &str) -> f64 {
        Estimate::of(&self.accuracies(name)).value
    }

    /// The mean loss of a row on the test images.
    pub(crate) fn loss(&self, name: &str) -> f64 {
        let losses = self.row(name).iter().map(|score| score.test_loss);
        Estimate::of(&losses.collect::<Vec<f64>>()).value
    }

    /// The name of the row with the highest mean accuracy on the test images, of those that `is_candidate`.
    pub(crate) fn best(&self, is_candidate: impl Fn(&str) -> bool) -> Option<&str> {
        let names = self.rows.iter().map(|(name, _)| name.as_str());
        let candidates = names.filter(|name| is_candidate(name));
        let means = candidates.map(|name| (name, self.accuracy(name)));
        let best = means.max_by(|a, b| a.1.total_cmp(&b.1));
        best.map(|(name, _)| name)
    }

    fn accuracies(&self, name: &str) -> Vec<f64> {
        let scores = self.row(name).iter();
        scores.map(|score| score.test_accuracy).collect()
    }

    fn row(&self, name: &str) -> &[Score] {
        let row = self.rows.iter().find(|(known, _)| known == name);
        row.map_or(&[], |(_, scores)| scores.as_slice())
    }
}
