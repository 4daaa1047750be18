//! What the page says first: results in sentences that are made from numbers.

use std::fmt::Display;

use super::comparison::{Comparison, Difference, PointKind};
use super::estimate::Estimate;
use super::findings::Findings;
use super::optimizer_name::OptimizerName;
use super::paths_run::Paths;
use super::summary::{Row, Summary};
use super::words::{capitalized, listed, rounded_down, rounded_up};

/// Optimizers that have sentences of their own.
const MOST: usize = 2;

/// A comparison and the rows that it compares.
struct Pair<'a> {
    comparison: &'a Comparison,
    baseline: &'a Row,
    row: &'a Row,
}

/// A quantity that may have changed.
struct Quantity {
    name: &'static str,
    difference: fn(&Comparison) -> Difference,
    value: fn(&Row) -> Estimate,
    shown: fn(f64) -> String,
}

const ACCURACY: Quantity = Quantity {
    name: "test accuracy",
    difference: |comparison| comparison.test_accuracy,
    value: |row| row.test_accuracy,
    shown: |share| format!("{:.1} %", 100.0 * share),
};
const LOSS: Quantity = Quantity {
    name: "test loss",
    difference: |comparison| comparison.test_loss,
    value: |row| row.test_loss,
    shown: |loss| format!("{loss:.3}"),
};

/// Flatness, generalization and cost of each optimizer, and how networks are joined.
pub(crate) fn sentences(found: &Findings<'_>) -> Vec<String> {
    let mut optimizers: Vec<OptimizerName> = Vec::new();
    for comparison in &found.summary.comparisons {
        if !optimizers.contains(&comparison.optimizer) {
            optimizers.push(comparison.optimizer);
        }
    }
    let of = |optimizer: OptimizerName| {
        let pairs = pairs(found.summary, optimizer);
        let seeds = found.arguments.seeds;
        [
            flatness(&pairs, seeds),
            generalization(&pairs),
            cost(&pairs),
        ]
    };
    let optimizers = optimizers.into_iter().take(MOST);
    let sentences = optimizers.flat_map(of).chain([joined(found.paths)]);
    sentences.flatten().collect()
}

/// The comparisons of an optimizer, one for each network.
fn pairs(summary: &Summary, optimizer: OptimizerName) -> Vec<Pair<'_>> {
    let own = summary.comparisons.iter();
    let own = own.filter(|comparison| comparison.optimizer == optimizer);
    let pairs = own.filter_map(|comparison| {
        let row = |optimizer: OptimizerName| {
            let mut rows = summary.rows.iter();
            rows.find(|row| (row.model, row.optimizer) == (comparison.model, optimizer))
        };
        Some(Pair {
            comparison,
            baseline: row(comparison.baseline)?,
            row: row(optimizer)?,
        })
    });
    pairs.collect()
}

/// The largest eigenvalues beside those of the baseline.
fn flatness(pairs: &[Pair<'_>], seeds: u32) -> Option<String> {
    let first = pairs.first()?;
    let [own, baseline] = [first.row, first.baseline].map(|row| upper(row.optimizer));
    let verdict = |pair: &Pair<'_>| pair.comparison.lambda_max.verdict;
    let all = |kind: PointKind| pairs.iter().all(|pair| verdict(pair) == kind);
    let ratios = pairs.iter().enumerate().map(|(index, pair)| {
        let ratio = pair.row.lambda_max.mean / pair.baseline.lambda_max.mean;
        let times = match index {
            0 => format!("{ratio:.2} times {baseline}'s"),
            _ => format!("{ratio:.2} times"),
        };
        let doubt = match verdict(pair) {
            PointKind::NoClearDifference => " (no clear difference)",
            _ => "",
        };
        format!("{times} for the {}{doubt}", network(pair))
    });
    let ratios: Vec<String> = ratios.collect();
    let ratios = listed(&ratios);
    let seeds = match seeds {
        1 => "1 seed, so this may be chance".to_string(),
        count => format!("{count} seeds"),
    };
    let subject = match () {
        () if all(PointKind::ClearlyLower) => format!("{own} finds flatter minima: its"),
        () if all(PointKind::ClearlyHigher) => format!("{own} finds sharper minima: its"),
        () => format!("{own}'s"),
    };
    Some(format!(
        "{subject} largest eigenvalue is {ratios} ({seeds})."
    ))
}

/// What is clear about the test images; nothing with one seed.
fn generalization(pairs: &[Pair<'_>]) -> Option<String> {
    let is_single = |pair: &Pair<'_>| pair.comparison.test_loss.verdict == PointKind::TooFewSeeds;
    if pairs.is_empty() || pairs.iter().any(is_single) {
        return None;
    }
    let networks = match pairs {
        [pair] => format!("the {}", network(pair)),
        [_, _] => "either".to_string(),
        _ => "any network".to_string(),
    };
    let [accuracy, loss] = [ACCURACY, LOSS].map(|quantity| changes(pairs, &quantity));
    if accuracy.is_empty() && loss.is_empty() {
        return Some(format!(
            "Test accuracy and test loss show no clear difference for {networks}."
        ));
    }
    let none = |name: &str| format!("{name} shows no clear difference for {networks}");
    let clauses = [(accuracy, ACCURACY.name), (loss, LOSS.name)];
    let clauses = clauses.map(|(changes, name)| match changes.is_empty() {
        true => none(name),
        false => listed(&changes),
    });
    Some(format!("{}.", capitalized(&clauses.join("; "))))
}

/// The clear changes of a quantity, for each network that has one.
fn changes(pairs: &[Pair<'_>], quantity: &Quantity) -> Vec<String> {
    let clear = pairs.iter().filter_map(|pair| {
        let verb = match (quantity.difference)(pair.comparison).verdict {
            PointKind::ClearlyHigher => "rises",
            PointKind::ClearlyLower => "falls",
            _ => return None,
        };
        let rows = [pair.baseline, pair.row];
        let [from, to] = rows.map(|row| (quantity.shown)((quantity.value)(row).mean));
        let (network, name) = (network(pair), quantity.name);
        Some(format!("the {network}'s {name} {verb} from {from} to {to}"))
    });
    clear.collect()
}

/// How many gradients a training takes; the same for all networks.
fn cost(pairs: &[Pair<'_>]) -> Option<String> {
    let pair = pairs.first()?;
    let ratio = pair.row.gradients.mean / pair.baseline.gradients.mean;
    let [own, baseline] = [pair.row, pair.baseline].map(|row| upper(row.optimizer));
    let times = match ratio {
        ratio if (ratio - 2.0).abs() < 0.05 => "twice".to_string(),
        ratio => format!("{ratio:.1} times"),
    };
    let differs = (ratio - 1.0).abs() >= 0.05;
    differs.then(|| format!("{own} takes {times} the gradients of {baseline}."))
}

/// Whether all pairs of networks are joined by curves of low loss.
fn joined(paths: &Paths) -> Option<String> {
    let pairs = paths.pairs.iter().map(|pair| {
        let connection = &pair.connection;
        let curve = connection.bezier.train.max.min(connection.chain.train.max);
        (connection.line.train.max, curve)
    });
    let edges = paths.graph.iter().flat_map(|graph| &graph.edges);
    let edges = edges.map(|edge| (edge.largest_on_line, edge.largest_on_curve));
    let all: Vec<(f64, f64)> = pairs.chain(edges).collect();
    let line = all.iter().map(|pair| pair.0).fold(f64::INFINITY, f64::min);
    let curve = all.iter().map(|pair| pair.1).fold(0.0, f64::max);
    let is_known = all.iter().all(|(line, curve)| (line + curve).is_finite());
    let is_low = !all.is_empty() && is_known && curve < 0.5 * line;
    is_low.then(|| {
        let (curve, line) = (rounded_up(curve), rounded_down(line));
        format!(
            "Curves of low loss join every measured pair of networks: the training loss is at most {curve} on them, \
             against {line} or more on straight lines."
        )
    })
}

fn network(pair: &Pair<'_>) -> String {
    upper(pair.row.model)
}

fn upper(name: impl Display) -> String {
    name.to_string().to_uppercase()
}
