//! Restarts of the rate beside one cosine and independent runs. Fixed after pilots with the seeds 2 to 4.

use crate::studies::frame::{Check, Measured, Verdict};

/// The rates of the first step of a cycle. The first is moderate, the second usual for restarts, and the third near the
/// largest that trains.
pub(crate) const RATES: [f64; 3] = [0.05, DECIDING, FASTEST];
const DECIDING: f64 = 0.2;
const FASTEST: f64 = 0.5;

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
/// The least barrier of a restart in units of the mean barrier between full runs.
pub(crate) const LEAST: &str = "least barrier over that between full runs";

/// The row of a rate.
pub(crate) fn of_rate(rate: f64, name: &str) -> String {
    format!("rate {rate}: {name}")
}

/// The row of differences within seeds.
pub(crate) fn minus(first: &str, second: &str) -> String {
    format!("{first} − {second}")
}

/// A restart leaves its valley if its barrier is at least this part of that between full runs.
pub(crate) const LEAVES: f64 = 0.1;
/// By so many standard errors.
pub(crate) const CLEAR: f64 = 3.0;
/// By how many standard errors losses and disagreements differ at least.
pub(crate) const SUGGESTED: f64 = 2.0;
/// The least gain of the snapshots, as a part of the test loss of one cosine.
const MATTERS: f64 = 0.02;
/// Seeds without which there is no standard error to speak of.
const FEWEST: usize = 3;

/// Each restart leaves its valley, and the snapshots are together better than one cosine and than short runs that cost
/// as much, though less diverse than full runs, which are better than one cosine too.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let row = |name: &str| of_rate(DECIDING, name);
    let leaves = |rate: f64| {
        let row = of_rate(rate, RESTARTS);
        let (mean, error) = of_all(found, &row, LEAST);
        let what = format!("{row}: {LEAST}, less {CLEAR} standard errors");
        Check::at_least(what, mean - CLEAR * error, LEAVES)
    };
    let below = |first: &str, second: &str, column: &str| {
        let row = row(&minus(first, second));
        let what = format!("{row}: {column}, standard errors below 0");
        let (mean, error) = of_all(found, &row, column);
        Check::at_least(what, -mean / error, SUGGESTED)
    };
    let (change, _) = of_all(found, &row(&minus(SNAPSHOTS, SINGLE)), TEST_LOSS);
    let (single, _) = of_all(found, &row(SINGLE), TEST_LOSS);
    Verdict::of(vec![
        leaves(DECIDING),
        leaves(FASTEST),
        below(SNAPSHOTS, SINGLE, TEST_LOSS),
        Check::at_least(
            format!(
                "{}: gain in {TEST_LOSS} over one cosine, as a part of it",
                row(SNAPSHOTS)
            ),
            -change / single,
            MATTERS,
        )
        .minor(),
        below(SNAPSHOTS, SHORT, TEST_LOSS).minor(),
        below(SNAPSHOTS, FULL, DISAGREEMENT).minor(),
        // Otherwise no ensemble is better here, and the snapshots cannot be.
        below(FULL, SINGLE, TEST_LOSS).minor(),
    ])
}

/// A mean with its standard error. Not numbers for too few seeds, or if one has no number.
fn of_all(found: &Measured, row: &str, column: &str) -> (f64, f64) {
    let values = found.values(row, column);
    match values.len() >= FEWEST && values.iter().all(|value| value.is_finite()) {
        true => (found.mean(row, column), found.standard_error(row, column)),
        false => (f64::NAN, f64::NAN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// Five seeds: the least barriers at both rates with a standard error of 0.01, and test losses of the snapshots less
    /// those of one cosine and of short runs, with one of 0.001.
    fn measured(barriers: [f64; 2], [single, short]: [f64; 2]) -> Measured {
        let mut found = Measured::default();
        let row = |name: &str| of_rate(DECIDING, name);
        for spread in [-2.0, -1.0, 0.0, 1.0, 2.0] {
            let spread = 2.0_f64.sqrt() * spread;
            for (rate, barrier) in [DECIDING, FASTEST].into_iter().zip(barriers) {
                found.push(of_rate(rate, RESTARTS), LEAST, barrier + 0.01 * spread);
            }
            found.push(row(SINGLE), TEST_LOSS, 0.12 + 0.001 * spread);
            for (pair, gap) in [
                ((SNAPSHOTS, SINGLE), single),
                ((SNAPSHOTS, SHORT), short),
                ((FULL, SINGLE), -0.02),
            ] {
                let gap = gap + 0.001 * spread;
                found.push(row(&minus(pair.0, pair.1)), TEST_LOSS, gap);
            }
            let gap = -0.01 + 0.001 * spread;
            found.push(row(&minus(SNAPSHOTS, FULL)), DISAGREEMENT, gap);
        }
        found
    }

    fn failed(found: &Measured) -> Vec<usize> {
        let verdict = judge(found);
        let checks = verdict.checks.iter().enumerate();
        let failed = checks.filter(|(_, check)| !check.holds);
        failed.map(|(index, _)| index).collect()
    }

    #[test]
    fn rows_have_their_names() {
        assert_eq!(of_rate(0.2, LAST), "rate 0.2: last snapshot");
        assert_eq!(minus("a", "b"), "a − b");
    }

    #[test]
    fn restarts_that_leave_and_help_pass() {
        let verdict = judge(&measured([0.5, 0.9], [-0.01, -0.004]));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
    }

    #[test]
    fn an_ensemble_of_one_valley_is_a_part() {
        // Above the bound, but within three standard errors of it.
        for barrier in [0.12, 0.01] {
            let found = measured([barrier; 2], [-0.01, -0.004]);
            assert_eq!(judge(&found).outcome, Outcome::PartlyReproduced);
            assert_eq!(failed(&found), [0, 1]);
        }
        // The largest rate leaves.
        assert_eq!(failed(&measured([0.0, 0.5], [-0.01, -0.004])), [0]);
    }

    #[test]
    fn an_ensemble_that_short_runs_beat_is_a_part() {
        let found = measured([0.5, 0.9], [-0.01, 0.004]);
        assert_eq!(judge(&found).outcome, Outcome::PartlyReproduced);
        assert_eq!(failed(&found), [4]);
    }

    #[test]
    fn a_gain_must_be_clear_and_large() {
        // By 2.1 standard errors, and 1.75 % of the loss.
        let found = measured([0.5, 0.9], [-0.0021, -0.004]);
        assert_eq!(failed(&found), [3]);
    }

    #[test]
    fn one_valley_without_a_gain_fails() {
        for gap in [-0.001, 0.01] {
            let found = measured([0.01; 2], [gap, -0.004]);
            assert_eq!(judge(&found).outcome, Outcome::NotReproduced);
        }
    }

    #[test]
    fn a_seed_without_a_number_is_not_left_out() {
        let mut found = measured([0.5, 0.9], [-0.01, -0.004]);
        found.push(of_rate(FASTEST, RESTARTS), LEAST, f64::NAN);
        assert_eq!(failed(&found), [1]);
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
