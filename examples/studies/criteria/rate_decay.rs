//! A rate that is divided early or late in training. Fixed after pilots with the seeds 2 to 4.

use crate::studies::frame::{Check, Measured, Verdict};
use crate::studies::numbers::number;

/// The training loss at which runs are compared.
pub(crate) const GOAL: f64 = 0.15;

pub(crate) const SMALL: &str = "small from the start";
pub(crate) const EARLY: &str = "divided at 10 %";
pub(crate) const MIDDLE: &str = "divided at 30 %";
pub(crate) const LATE: &str = "divided at 60 %";
pub(crate) const NEVER: &str = "never divided";

pub(crate) const LAMBDA: &str = "λ_max";
/// Of pairs of runs of one seed: the ratio of `λ_max` less one.
pub(crate) const EXCESS: &str = "excess of λ_max";
/// The same for the covariance of gradients.
pub(crate) const NOISE_EXCESS: &str = "excess of λ_max of Σ";
/// The test accuracy of the second run minus that of the first.
pub(crate) const DEFICIT: &str = "deficit in test accuracy";

/// The row of a run where it comes to the training loss.
pub(crate) fn at_goal(name: &str) -> String {
    format!("{name}: loss {GOAL}")
}

/// The row of a run after the budget.
pub(crate) fn at_end(name: &str) -> String {
    format!("{name}: end of the budget")
}

/// The name of a pair.
pub(crate) fn against(first: &str, second: &str) -> String {
    format!("{first} against {second}")
}

/// The smallest excess that counts.
const LEAST: f64 = 0.2;
/// Beyond so many of its standard errors, a difference is clear.
pub(crate) const CLEAR: f64 = 3.0;
/// The same for accuracies.
pub(crate) const SUGGESTED: f64 = 2.0;
/// Pairs without which there is no standard error to speak of.
const FEWEST: usize = 3;

/// At the same training loss, an early division ends in a sharper place than a late one, and one between them between
/// theirs. A small rate from the start does as well; the noise is larger, and the early division classifies worse.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let early = at_goal(&against(EARLY, LATE));
    let small = at_goal(&against(SMALL, LATE));
    let [high, middle, low] =
        [EARLY, MIDDLE, LATE].map(|name| found.mean_of_all(&at_goal(name), LAMBDA));
    Verdict::of(vec![
        larger(found, &early, EXCESS),
        Check::within(
            format!(
                "{}: {LAMBDA}, between those of the later and the earlier division",
                at_goal(MIDDLE)
            ),
            middle,
            low,
            high,
        )
        .minor(),
        larger(found, &small, EXCESS).minor(),
        larger(found, &early, NOISE_EXCESS).minor(),
        Check::at_least(
            format!("{early}: {DEFICIT}, in standard errors"),
            in_errors(found, &early, DEFICIT),
            SUGGESTED,
        )
        .minor(),
    ])
}

/// Whether an excess is large enough, and clear.
fn larger(found: &Measured, row: &str, column: &str) -> Check {
    let (excess, errors) = (
        found.mean_of_all(row, column),
        in_errors(found, row, column),
    );
    let text = format!(
        "{row}: {column} {}, {} standard errors; at least {LEAST} and {CLEAR}",
        number(excess),
        number(errors)
    );
    Check::new(text, excess >= LEAST && errors >= CLEAR)
}

/// A mean in its standard errors. Not a number for too few seeds, or if one is missing.
fn in_errors(found: &Measured, row: &str, column: &str) -> f64 {
    match found.count(row, column) >= FEWEST {
        true => found.mean_of_all(row, column) / found.standard_error(row, column),
        false => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// Five pairs around these means, with standard errors of 0.014 and of 0.001.
    fn measured(excess: f64, deficit: f64) -> Measured {
        let mut found = Measured::default();
        for spread in [-2.0, -1.0, 0.0, 1.0, 2.0] {
            let (wide, narrow) = (0.02 * spread, 0.001 * 2.0_f64.sqrt() * spread);
            for first in [EARLY, SMALL] {
                let row = at_goal(&against(first, LATE));
                found.push(row.as_str(), EXCESS, excess + wide);
                found.push(row.as_str(), NOISE_EXCESS, excess + wide);
                found.push(row.as_str(), DEFICIT, deficit + narrow);
            }
            for (name, share) in [(EARLY, 1.0), (MIDDLE, 0.5), (LATE, 0.0)] {
                found.push(at_goal(name), LAMBDA, 2.0 * (1.0 + share * excess) + wide);
            }
        }
        found
    }

    #[test]
    fn rows_have_their_names() {
        assert_eq!(at_goal(EARLY), "divided at 10 %: loss 0.15");
        let pair = at_end(&against(EARLY, LATE));
        let expected = "divided at 10 % against divided at 60 %: end of the budget";
        assert_eq!(pair, expected);
    }

    #[test]
    fn sharper_places_that_classify_worse_pass() {
        let verdict = judge(&measured(0.4, 0.01));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
    }

    #[test]
    fn sharper_places_that_classify_as_well_are_a_part() {
        for deficit in [0.0, -0.01] {
            let verdict = judge(&measured(0.4, deficit));
            assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
            let holds: Vec<bool> = verdict.checks.iter().map(|check| check.holds).collect();
            assert_eq!(holds, [true, true, true, true, false]);
        }
    }

    #[test]
    fn small_and_unclear_and_opposite_excesses_fail() {
        // Clear, but small; large, but of one seed; flatter.
        let mut unclear = Measured::default();
        let row = at_goal(&against(EARLY, LATE));
        unclear.extend(&row, EXCESS, [0.0, 0.1, -0.1, 0.0, 3.0]);
        for found in [measured(0.1, 0.01), unclear, measured(-0.4, 0.01)] {
            assert_eq!(judge(&found).outcome, Outcome::NotReproduced);
        }
    }

    #[test]
    fn the_division_between_them_is_compared() {
        let mut found = measured(0.4, 0.01);
        // A mean above that of the early division.
        found.push(at_goal(MIDDLE), LAMBDA, 9.0);
        let verdict = judge(&found);
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
        let holds: Vec<bool> = verdict.checks.iter().map(|check| check.holds).collect();
        assert_eq!(holds, [true, false, true, true, true]);
    }

    #[test]
    fn two_pairs_are_too_few() {
        let mut found = Measured::default();
        let row = at_goal(&against(EARLY, LATE));
        found.extend(&row, EXCESS, [0.5, 0.51]);
        assert_eq!(judge(&found).outcome, Outcome::NotReproduced);
        found.push(row.as_str(), EXCESS, 0.52);
        assert_eq!(judge(&found).outcome, Outcome::PartlyReproduced);
    }

    #[test]
    fn a_missing_run_is_not_left_out() {
        let mut found = measured(0.4, 0.01);
        found.push(at_goal(&against(EARLY, LATE)), EXCESS, f64::NAN);
        assert_eq!(judge(&found).outcome, Outcome::NotReproduced);
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }
}
