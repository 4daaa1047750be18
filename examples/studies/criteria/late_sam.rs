//! SAM in the last part of a training. Fixed after pilots with the seeds 2 to 4.

use burnscape::krylov::Estimate;

use crate::studies::frame::{Check, Measured, Verdict};
use crate::studies::numbers::number;

pub(crate) const SGD: &str = "SGD";
pub(crate) const TWICE: &str = "SGD, twice the epochs";
pub(crate) const FULL: &str = "SAM";
pub(crate) const LATE: &str = "late SAM";
pub(crate) const EARLY: &str = "SAM, then SGD";

/// Pairs of runs with the same seed: their row, and both runs.
pub(crate) const PAIRS: [(&str, &str, &str); 5] = [
    (FULL_TO_SGD, FULL, SGD),
    (LATE_TO_SGD, LATE, SGD),
    (LATE_TO_TWICE, LATE, TWICE),
    (LATE_TO_FULL, LATE, FULL),
    (EARLY_TO_FULL, EARLY, FULL),
];
pub(crate) const FULL_TO_SGD: &str = "SAM against SGD";
pub(crate) const LATE_TO_SGD: &str = "late SAM against SGD";
pub(crate) const LATE_TO_TWICE: &str = "late SAM against SGD, twice the epochs";
pub(crate) const LATE_TO_FULL: &str = "late SAM against SAM";
pub(crate) const EARLY_TO_FULL: &str = "SAM, then SGD, against SAM";

/// Straight lines from the end of SGD.
pub(crate) const TO_LATE: &str = "line from SGD to late SAM";
pub(crate) const TO_FULL: &str = "line from SGD to SAM";
pub(crate) const TO_OTHER: &str = "line from SGD to SGD from other weights";

pub(crate) const LAMBDA: &str = "λ_max";
pub(crate) const TEST_LOSS: &str = "test loss";
pub(crate) const TEST: &str = "test accuracy";
pub(crate) const GRADIENTS: &str = "gradients";
/// Of pairs: λ_max of the first over that of the second.
pub(crate) const RATIO: &str = "ratio of λ_max";
/// The same for λ_max over the training loss.
pub(crate) const RELATIVE_RATIO: &str = "ratio of λ_max over loss";
/// Of pairs: the first minus the second.
pub(crate) const LOSS_CHANGE: &str = "change of test loss";
pub(crate) const TEST_CHANGE: &str = "change of test accuracy";
/// Of lines: over the loss of the higher end.
pub(crate) const SHARE: &str = "barrier over loss";

/// The row of a run, a pair or a line with a rate that is divided in the middle. Others have a constant rate.
pub(crate) fn divided(row: &str) -> String {
    format!("{row}, divided rate")
}

/// A difference is clear beyond so many of its standard errors.
pub(crate) const CLEAR: f64 = 2.0;
/// λ_max of late SAM over that of SAM, at most.
const NEAR: f64 = 1.3;
/// Gradients of late SAM over those of SGD, at most: 15 % more, and rounding.
const COST: f64 = 1.1501;
/// The share of SAM's fall of ln λ_max that late SAM has, at least.
const SAME: f64 = 0.5;
/// The barrier within a valley over the loss of the higher end, at most.
const VALLEY: f64 = 0.1;
/// The barrier to another valley over the loss of the higher end, at least.
const RIDGE: f64 = 1.0;
/// Half a point of accuracy.
const MARGIN: f64 = 0.005;

/// Late SAM ends clearly flatter than SGD and about as flat as SAM, at a constant rate and at one that is divided. At
/// the constant rate it is in the valley of SGD and classifies about as well as SAM, and SAM is not as flat if it ends
/// with SGD.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let ratio = |pair: &str| found.mean_of_all(pair, RATIO);
    let above = |pair: &str| (ratio(pair) - 1.0) / found.standard_error(pair, RATIO);
    let flatness = |row: fn(&str) -> String| {
        let [against_sgd, against_full] = [LATE_TO_SGD, LATE_TO_FULL].map(row);
        let (fall, near) = (-above(&against_sgd), ratio(&against_full));
        // Where SAM changes nothing, late SAM is as flat and no part of the claim holds.
        let is_as_flat = near <= NEAR && fall >= CLEAR;
        [
            Check::at_least(
                format!("{against_sgd}: fall of λ_max, in standard errors"),
                fall,
                CLEAR,
            ),
            Check::new(
                format!(
                    "{against_full}: λ_max of the first over that of the second: {}, at most {NEAR}, where late SAM \
                     is flatter than SGD",
                    number(near)
                ),
                is_as_flat,
            ),
        ]
    };
    let share = ratio(LATE_TO_SGD).ln() / ratio(FULL_TO_SGD).ln();
    let [late, sgd] = [LATE, SGD].map(|run| found.mean(run, GRADIENTS));
    let [valley, ridge] = [TO_LATE, TO_OTHER].map(|line| found.mean_of_all(line, SHARE));
    let others = [
        Check::at_least(
            "fall of λ_max from SGD to SAM, in standard errors",
            -above(FULL_TO_SGD),
            CLEAR,
        ),
        Check::at_least(
            "share of SAM's fall of ln λ_max that late SAM has",
            share,
            SAME,
        ),
        Check::at_most("gradients of late SAM over those of SGD", late / sgd, COST),
        Check::at_most(
            "barrier between SGD and late SAM over the loss of the higher end",
            valley,
            VALLEY,
        ),
        Check::at_least("the same to SGD from other weights", ridge, RIDGE),
        Check::at_most(
            "test accuracy that late SAM lacks to SAM, with two standard errors",
            most_lacking(found.values(LATE_TO_FULL, TEST_CHANGE)),
            MARGIN,
        ),
        Check::at_least(
            "λ_max of SAM, then SGD, above that of SAM, in standard errors",
            above(EARLY_TO_FULL),
            CLEAR,
        ),
    ];
    let [constant, dropped] = [str::to_string as fn(&str) -> String, divided].map(flatness);
    let essential = constant.into_iter().chain(dropped);
    Verdict::of(essential.chain(others.map(Check::minor)).collect())
}

/// Two standard errors less the mean change. Not a number for fewer than two.
fn most_lacking(changes: &[f64]) -> f64 {
    let mean = Estimate::of(changes);
    CLEAR * mean.standard_error.unwrap_or(f64::NAN) - mean.value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// Means: λ_max of late SAM and of SAM over that of SGD, the barrier to late SAM, and the change of accuracy; and
    /// the first of these where the rate is divided.
    fn measured(late: f64, full: f64, barrier: f64, change: f64, dropped: f64) -> Measured {
        let mut found = Measured::default();
        for spread in [-2.0, -1.0, 0.0, 1.0, 2.0] {
            let around = |mean: f64| mean * (1.0 + 0.01 * spread);
            found.push(LATE_TO_SGD, RATIO, around(late));
            found.push(FULL_TO_SGD, RATIO, around(full));
            found.push(LATE_TO_FULL, RATIO, around(late / full));
            found.push(EARLY_TO_FULL, RATIO, around(0.9 / full));
            found.push(divided(LATE_TO_SGD), RATIO, around(dropped));
            found.push(divided(LATE_TO_FULL), RATIO, around(dropped / full));
            found.push(TO_LATE, SHARE, around(barrier));
            found.push(TO_OTHER, SHARE, around(30.0));
            found.push(LATE_TO_FULL, TEST_CHANGE, change + 0.001 * spread);
            found.push(SGD, GRADIENTS, 3000.0);
            found.push(LATE, GRADIENTS, 3450.0);
        }
        found
    }

    /// Which checks hold.
    fn holding(verdict: &Verdict) -> Vec<bool> {
        verdict.checks.iter().map(|check| check.holds).collect()
    }

    #[test]
    fn late_sam_that_is_as_flat_in_one_valley_passes() {
        let verdict = judge(&measured(0.6, 0.5, 0.01, -0.001, 0.6));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
        assert_eq!(verdict.checks.len(), 11);
    }

    #[test]
    fn a_part_of_the_effect_is_a_part() {
        // Flatter than SGD, but not as flat as SAM.
        let verdict = judge(&measured(0.8, 0.5, 0.01, -0.001, 0.8));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
        let holds = holding(&verdict);
        assert_eq!(holds[..6], [true, false, true, false, true, false]);
    }

    #[test]
    fn both_schedules_count() {
        let verdict = judge(&measured(0.6, 0.5, 0.01, -0.001, 0.95));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
        let holds = holding(&verdict);
        assert_eq!(holds[..4], [true, true, true, false]);
        assert!(holds[4..].iter().all(|holds| *holds));
    }

    #[test]
    fn another_valley_and_worse_accuracy_are_noticed() {
        for found in [
            measured(0.6, 0.5, 2.0, -0.001, 0.6),
            measured(0.6, 0.5, 0.01, -0.01, 0.6),
        ] {
            let verdict = judge(&found);
            assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
            let failed = verdict.checks.iter().filter(|check| !check.holds);
            assert_eq!(failed.count(), 1);
        }
    }

    #[test]
    fn without_an_effect_nothing_is_reproduced() {
        // As flat as SAM, because SAM is no flatter than SGD.
        let verdict = judge(&measured(1.0, 1.0, 0.0, 0.0, 1.0));
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        let verdict = judge(&measured(1.1, 0.5, 0.0, 0.0, 1.1));
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }

    #[test]
    fn a_missing_run_is_not_left_out() {
        let mut found = measured(0.6, 0.5, 0.01, -0.001, 0.6);
        found.push(LATE_TO_FULL, RATIO, f64::NAN);
        assert_eq!(judge(&found).outcome, Outcome::PartlyReproduced);
        assert!(most_lacking(&[0.001]).is_nan());
    }
}
