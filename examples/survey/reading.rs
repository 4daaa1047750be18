//! The comparisons in words, decided by the numbers alone.

use super::comparison::{Comparison, Difference, PointKind};
use super::estimate::Estimate;
use super::summary::Row;

/// What was compared, in words.
pub(crate) struct Statement {
    pub(crate) what: &'static str,
    /// By how much they differ.
    pub(crate) difference: String,
    /// What the seeds allow to say; empty with one seed.
    pub(crate) verdict: &'static str,
}

/// What one comparison says. `row` is that of the baseline.
pub(crate) fn statements(comparison: &Comparison, row: &Row) -> [Statement; 5] {
    let Comparison {
        baseline,
        test_accuracy,
        test_loss,
        average_rise,
        worst_case_rise,
        lambda_max,
        ..
    } = comparison;
    let baseline = baseline.to_string();
    let accuracy = by(test_accuracy, 100.0, 2, " points");
    let loss = by(test_loss, 1.0, 4, "");
    let average = times(average_rise, row.average_rise, &baseline);
    let worst = times(worst_case_rise, row.worst_case_rise, &baseline);
    let largest = times(lambda_max, row.lambda_max, &baseline);
    [
        (
            "test accuracy",
            format!("{accuracy} {baseline}'s"),
            test_accuracy,
        ),
        ("test loss", format!("{loss} {baseline}'s"), test_loss),
        ("average rise", average, average_rise),
        ("worst-case rise", worst, worst_case_rise),
        ("λ_max", largest, lambda_max),
    ]
    .map(|(what, difference, compared)| Statement {
        what,
        difference,
        verdict: verdict(compared),
    })
}

/// Five lines about one comparison. `row` is that of the baseline.
pub(crate) fn reading(comparison: &Comparison, row: &Row) -> String {
    let name = format!("{}, {}", comparison.model, comparison.optimizer);
    let line_break = format!("\n{}", " ".repeat(name.chars().count() + 4));
    let lines = statements(comparison, row).map(|statement| {
        let Statement {
            what,
            difference,
            verdict,
        } = statement;
        match verdict {
            "" => format!("{what} {difference}"),
            verdict => format!("{what} {difference}: {verdict}"),
        }
    });
    format!("  {name}: {}\n", lines.join(line_break.as_str()))
}

/// "0.31 ± 0.20 points above".
fn by(difference: &Difference, scale: f64, decimals: usize, unit: &str) -> String {
    let mean = difference.estimate.mean * scale;
    if mean == 0.0 {
        return "equal to".to_string();
    }
    let side = if mean > 0.0 { "above" } else { "below" };
    let error = match difference.estimate.standard_error {
        Some(error) => format!(" ± {:.decimals$}", error * scale),
        None => String::new(),
    };
    format!("{:.decimals$}{error}{unit} {side}", mean.abs())
}

/// "0.53 times sgd's".
fn times(difference: &Difference, baseline: Estimate, name: &str) -> String {
    let baseline = baseline.mean;
    let ratio = (baseline + difference.estimate.mean) / baseline;
    if baseline > 0.0 && ratio > 0.0 {
        format!("{ratio:.2} times {name}'s")
    } else {
        format!("{:+.4} from {name}'s", difference.estimate.mean)
    }
}

fn verdict(difference: &Difference) -> &'static str {
    match difference.verdict {
        PointKind::ClearlyHigher => "clearly higher",
        PointKind::ClearlyLower => "clearly lower",
        PointKind::NoClearDifference => "no clear difference",
        PointKind::TooFewSeeds => "",
    }
}
