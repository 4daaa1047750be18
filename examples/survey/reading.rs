//! The comparisons in words, decided by the numbers alone.

use super::comparison::{Comparison, Difference, PointKind};

/// Four lines about one comparison.
pub(crate) fn reading(comparison: &Comparison, baseline_rises: (f64, f64)) -> String {
    let Comparison {
        model,
        optimizer,
        baseline,
        test_accuracy,
        test_loss,
        average_rise,
        worst_case_rise,
    } = comparison;
    let accuracy = by(test_accuracy, 100.0, 2, " points");
    let loss = by(test_loss, 1.0, 4, "");
    let average = times(average_rise, baseline_rises.0, &baseline.to_string());
    let worst = times(worst_case_rise, baseline_rises.1, &baseline.to_string());
    let name = format!("{model}, {optimizer}");
    let indent = " ".repeat(name.chars().count() + 4);
    let lines = [
        format!(
            "  {name}: test accuracy {accuracy} {baseline}'s{}",
            judged(test_accuracy)
        ),
        format!("{indent}test loss {loss} {baseline}'s{}", judged(test_loss)),
        format!("{indent}average rise {average}{}", judged(average_rise)),
        format!("{indent}worst-case rise {worst}{}", judged(worst_case_rise)),
    ];
    lines.join("\n") + "\n"
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
fn times(difference: &Difference, baseline: f64, name: &str) -> String {
    let ratio = (baseline + difference.estimate.mean) / baseline;
    if baseline > 0.0 && ratio > 0.0 {
        format!("{ratio:.2} times {name}'s")
    } else {
        format!("{:+.4} from {name}'s", difference.estimate.mean)
    }
}

fn judged(difference: &Difference) -> &'static str {
    match difference.verdict {
        PointKind::ClearlyHigher => ": clearly higher",
        PointKind::ClearlyLower => ": clearly lower",
        PointKind::NoClearDifference => ": no clear difference",
        PointKind::TooFewSeeds => "",
    }
}
