//! The comparisons in words, decided by the numbers alone.

use super::comparison::{Comparison, Difference, Verdict};

/// Two or three sentences about one comparison.
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
    format!(
        "  {model}: {optimizer}'s test accuracy is {accuracy} {baseline}'s{}.\n       \
         Its test loss is {loss} {baseline}'s{}.\n       \
         Its average rise is {average}{}, its worst-case rise {worst}{}.\n",
        judged(test_accuracy),
        judged(test_loss),
        judged(average_rise),
        judged(worst_case_rise),
    )
}

/// "0.31 points above", with the standard error.
fn by(difference: &Difference, scale: f64, decimals: usize, unit: &str) -> String {
    let mean = difference.estimate.mean * scale;
    let side = if mean >= 0.0 { "above" } else { "below" };
    let error = match difference.estimate.standard_error {
        Some(error) => format!(" (± {:.decimals$})", error * scale),
        None => String::new(),
    };
    format!("{:.decimals$}{unit}{error} {side}", mean.abs())
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
        Verdict::ClearlyHigher => ": clearly higher",
        Verdict::ClearlyLower => ": clearly lower",
        Verdict::NoClearDifference => ": no clear difference",
        Verdict::TooFewSeeds => "",
    }
}
