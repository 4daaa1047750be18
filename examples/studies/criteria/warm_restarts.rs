//! Restarts of the rate beside one cosine and independent runs.

use crate::studies::frame::{Check, Measured, Verdict};

/// The rates of the first step of a cycle. The second decides.
pub(crate) const RATES: [f64; 2] = [0.05, 0.2];
const DECIDING: f64 = RATES[1];

pub(crate) const LAST: &str = "last snapshot";
pub(crate) const SINGLE: &str = "one cosine";
pub(crate) const SNAPSHOTS: &str = "snapshots together";
pub(crate) const SHORT: &str = "short runs together";
pub(crate) const FULL: &str = "full runs together";
/// Means over the lines between successive snapshots.
pub(crate) const RESTARTS: &str = "lines between successive snapshots";

pub(crate) const TEST_LOSS: &str = "test loss";
/// The share of test digits on which two networks differ.
pub(crate) const DISAGREEMENT: &str = "disagreement";
/// The least barrier of a restart in units of the mean training loss of its ends.
pub(crate) const LEAST: &str = "least barrier over loss of the ends";

/// The row of a rate.
pub(crate) fn of_rate(rate: f64, name: &str) -> String {
    format!("rate {rate}: {name}")
}

/// The row of differences within seeds.
pub(crate) fn minus(first: &str, second: &str) -> String {
    format!("{first} − {second}")
}

/// A restart leaves its valley if the barrier is higher than the loss of the ends times this.
pub(crate) const LEAVES: f64 = 1.0;
/// By so many standard errors.
pub(crate) const CLEAR: f64 = 3.0;
/// By how many standard errors losses and disagreements differ at least.
pub(crate) const SUGGESTED: f64 = 2.0;
/// Seeds without which there is no standard error to speak of.
const FEWEST: usize = 3;

/// Each restart leaves its valley, and the snapshots are together better than one cosine and than short runs that cost
/// as much, though less diverse than full runs.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let row = |name: &str| of_rate(DECIDING, name);
    let below = |second: &str, column: &str| {
        let row = row(&minus(SNAPSHOTS, second));
        let what = format!("{row}: {column}, standard errors below 0");
        Check::at_least(what, -in_errors(found, &row, column, 0.0), SUGGESTED)
    };
    let restarts = row(RESTARTS);
    Verdict::of(vec![
        Check::at_least(
            format!("{restarts}: {LEAST}, standard errors above {LEAVES}"),
            in_errors(found, &restarts, LEAST, LEAVES),
            CLEAR,
        ),
        below(SINGLE, TEST_LOSS),
        below(SHORT, TEST_LOSS).minor(),
        below(FULL, DISAGREEMENT).minor(),
    ])
}

/// How far a mean is above a bound, in its standard errors. Not a number for too few seeds.
fn in_errors(found: &Measured, row: &str, column: &str, bound: f64) -> f64 {
    match found.count(row, column) >= FEWEST {
        true => (found.mean(row, column) - bound) / found.standard_error(row, column),
        false => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// Five seeds: the least barrier with a standard error of 0.1, and test losses of the snapshots less those of one
    /// cosine and of short runs, with one of 0.001.
    fn measured(barrier: f64, [single, short]: [f64; 2]) -> Measured {
        let mut found = Measured::default();
        let row = |name: &str| of_rate(DECIDING, name);
        for spread in [-2.0, -1.0, 0.0, 1.0, 2.0] {
            let spread = 2.0_f64.sqrt() * spread;
            found.push(row(RESTARTS), LEAST, barrier + 0.1 * spread);
            for (second, gap) in [(SINGLE, single), (SHORT, short)] {
                let gap = gap + 0.001 * spread;
                found.push(row(&minus(SNAPSHOTS, second)), TEST_LOSS, gap);
            }
            let gap = -0.01 + 0.001 * spread;
            found.push(row(&minus(SNAPSHOTS, FULL)), DISAGREEMENT, gap);
        }
        found
    }

    fn holds(found: &Measured) -> Vec<bool> {
        let verdict = judge(found);
        let checks = verdict.checks.iter();
        checks.map(|check| check.holds).collect()
    }

    #[test]
    fn rows_have_their_names() {
        assert_eq!(of_rate(0.2, LAST), "rate 0.2: last snapshot");
        assert_eq!(minus("a", "b"), "a − b");
    }

    #[test]
    fn restarts_that_leave_and_help_pass() {
        let verdict = judge(&measured(2.0, [-0.01, -0.004]));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
    }

    #[test]
    fn an_ensemble_of_one_valley_is_a_part() {
        // Above the bound, but within three standard errors of it.
        for barrier in [1.2, 0.1] {
            let found = measured(barrier, [-0.01, -0.004]);
            assert_eq!(judge(&found).outcome, Outcome::PartlyReproduced);
            assert_eq!(holds(&found), [false, true, true, true]);
        }
    }

    #[test]
    fn an_ensemble_that_short_runs_beat_is_a_part() {
        let found = measured(2.0, [-0.01, 0.004]);
        assert_eq!(judge(&found).outcome, Outcome::PartlyReproduced);
        assert_eq!(holds(&found), [true, true, false, true]);
    }

    #[test]
    fn one_valley_without_a_gain_fails() {
        for gap in [-0.001, 0.01] {
            let found = measured(0.1, [gap, -0.004]);
            assert_eq!(judge(&found).outcome, Outcome::NotReproduced);
        }
    }

    #[test]
    fn other_rates_do_not_count() {
        let mut found = Measured::default();
        found.extend(&of_rate(RATES[0], RESTARTS), LEAST, [9.0, 9.1, 9.2]);
        assert_eq!(judge(&found).outcome, Outcome::NotReproduced);
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }
}
