//! Easy examples first. Fixed after pilots with the seeds 2 to 4.

use crate::studies::frame::{Check, Measured, Verdict};
use crate::studies::numbers::with_error;

/// All the time.
pub(crate) const FULL: &str = "full time";
/// A tenth of it.
pub(crate) const SHORT: &str = "a tenth of the time";
/// All the time on data of which some labels are wrong.
pub(crate) const NOISY: &str = "wrong labels";

pub(crate) const AT_ONCE: &str = "all at once";
pub(crate) const EASY: &str = "easy first";
pub(crate) const HARD: &str = "hard first";
pub(crate) const RANDOM: &str = "random order";

pub(crate) const TEST: &str = "test accuracy";

/// The row of what the first order has more than the second, seed by seed, in the mean over paces.
pub(crate) fn less(condition: &str, [first, second]: [&str; 2]) -> String {
    format!("{condition}: {first} − {second}")
}

/// Accuracies that differ by less are the same.
const SAME: f64 = 0.005;
/// In standard errors of the difference within seeds.
const CLEAR: f64 = 2.0;

/// The order of the examples changes nothing in the full time; easy examples first help where time is short, and where
/// labels are wrong.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let same = |order: &str| {
        let (mean, error) = gain(found, FULL, [order, AT_ONCE]);
        let what = format!(
            "{FULL}, {order}: size of the change of test accuracy, and {CLEAR} standard errors more"
        );
        Check::at_most(what, mean.abs() + CLEAR * error, SAME)
    };
    let better = |condition: &str, pair: [&str; 2]| {
        let (mean, error) = gain(found, condition, pair);
        let [first, second] = pair;
        let text = format!(
            "{condition}, gain of {first} over {second}: {}, at least {SAME} and {CLEAR} standard errors",
            with_error(mean, Some(error))
        );
        Check::new(text, mean >= SAME && mean >= CLEAR * error)
    };
    let not_better = |condition: &str, pair: [&str; 2]| {
        let (what, errors) = in_errors(found, condition, pair);
        Check::at_most(what, errors, CLEAR)
    };
    Verdict::of(vec![
        better(SHORT, [EASY, AT_ONCE]),
        better(NOISY, [EASY, AT_ONCE]),
        // That nothing changes is no finding where nothing helps.
        same(EASY).minor(),
        same(HARD).minor(),
        same(RANDOM).minor(),
        // The order is what helps, and not the pace.
        better(SHORT, [EASY, RANDOM]).minor(),
        better(NOISY, [EASY, RANDOM]).minor(),
        not_better(SHORT, [HARD, AT_ONCE]).minor(),
        not_better(NOISY, [HARD, AT_ONCE]).minor(),
    ])
}

/// By how much the first order is more accurate, with its standard error.
fn gain(found: &Measured, condition: &str, pair: [&str; 2]) -> (f64, f64) {
    let row = less(condition, pair);
    (found.mean(&row, TEST), found.standard_error(&row, TEST))
}

/// The same in standard errors, with its name.
fn in_errors(found: &Measured, condition: &str, pair: [&str; 2]) -> (String, f64) {
    let (mean, error) = gain(found, condition, pair);
    let [first, second] = pair;
    let what = format!("{condition}: {first} above {second}, in standard errors");
    (what, mean / error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// Five seeds around these gains of easy first, in the order of the conditions.
    fn measured(gains: [f64; 3]) -> Measured {
        let mut found = Measured::default();
        for offset in [-2.0, -1.0, 0.0, 1.0, 2.0] {
            let noise = 0.001 * offset;
            for (condition, gain) in [FULL, SHORT, NOISY].into_iter().zip(gains) {
                for (pair, mean) in [
                    ([EASY, AT_ONCE], gain),
                    ([EASY, RANDOM], gain),
                    ([HARD, AT_ONCE], -gain),
                    ([RANDOM, AT_ONCE], 0.0),
                ] {
                    found.push(less(condition, pair), TEST, mean + noise);
                }
            }
        }
        found
    }

    #[test]
    fn gains_where_time_is_short_or_labels_are_wrong_pass() {
        let verdict = judge(&measured([0.001, 0.02, 0.05]));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
        assert_eq!(verdict.checks.len(), 9);
    }

    #[test]
    fn gains_with_wrong_labels_alone_are_a_part() {
        let verdict = judge(&measured([0.001, -0.02, 0.05]));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
        let failed = verdict.checks.iter().filter(|check| !check.holds);
        // In a short time: against all at once, against a random order, and hard first helps.
        assert_eq!(failed.count(), 3);
    }

    #[test]
    fn a_clear_gain_that_is_small_is_none() {
        let verdict = judge(&measured([0.001, 0.004, 0.05]));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
        let failed = verdict.checks.iter().filter(|check| !check.holds);
        // Against all at once, and against a random order.
        assert_eq!(failed.count(), 2);
    }

    #[test]
    fn no_gain_where_time_is_short_and_labels_are_wrong_fails() {
        for gain in [0.01, -0.01, 0.004, 0.0] {
            let verdict = judge(&measured([gain, 0.0, 0.0]));
            assert_eq!(verdict.outcome, Outcome::NotReproduced, "{gain}");
        }
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }

    #[test]
    fn rows_have_their_names() {
        assert_eq!(
            less(NOISY, [EASY, RANDOM]),
            "wrong labels: easy first − random order"
        );
    }
}
