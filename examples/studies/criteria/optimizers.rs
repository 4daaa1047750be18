//! The minima of SGD, adaptive optimizers and Muon. Fixed after pilots with the seeds 2 to 4.

use crate::studies::frame::{Check, Measured, Verdict};

/// The training loss at which networks are compared.
pub(crate) const GOAL: f64 = 0.02;

pub(crate) const SGD: &str = "SGD";
pub(crate) const MOMENTUM: &str = "SGD, momentum 0.9";
pub(crate) const ADAM: &str = "Adam";
pub(crate) const ADAM_W: &str = "AdamW";
pub(crate) const MUON: &str = "Muon";
/// Those whose rates need about as many steps to the goal.
pub(crate) const MATCHED: [&str; 5] = [SGD, MOMENTUM, ADAM, ADAM_W, MUON];

/// SGD from the same start with other batches.
pub(crate) const OTHER_ORDER: &str = "SGD, another order";
pub(crate) const SLOW_SGD: &str = "SGD, a quarter of the rate";
pub(crate) const SLOW_ADAM: &str = "Adam, a quarter of the rate";

pub(crate) const STEPS: &str = "steps";
pub(crate) const LOSS: &str = "training loss";
pub(crate) const LAMBDA: &str = "λ_max";
pub(crate) const TEST: &str = "test accuracy";
/// Of the change of the middle layer.
pub(crate) const STABLE: &str = "its stable rank";
pub(crate) const BARRIER: &str = "barrier";

/// The row of what the first one has more than the second, seed by seed.
pub(crate) fn less(first: &str, second: &str) -> String {
    format!("{first} − {second}")
}

/// The row of the line between two ends.
pub(crate) fn between(first: &str, second: &str) -> String {
    format!("between {first} and {second}")
}

/// The mean of a row of differences over its standard error.
fn in_errors(found: &Measured, row: &str, column: &str) -> f64 {
    found.mean_of_all(row, column) / found.standard_error(row, column)
}

/// In standard errors of the difference within seeds.
const SHARPER: f64 = 3.0;
const WORSE: f64 = 2.0;
const HIGHER: f64 = 2.0;
/// The least barrier between two minima, over the training loss of the ends.
const SEPARATE: f64 = 1.0;
/// How many times the stable rank of Adam's change Muon's is.
const DIVERSE: f64 = 2.0;
/// The most steps to the goal over the fewest.
const AS_FAST: f64 = 2.0;
/// A part of the goal.
const SAME_LOSS: f64 = 0.05;

/// At the same training loss, Adam ends in sharper minima than SGD, which classify worse, and behind a barrier; Muon
/// changes a layer in more directions.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let adam = less(ADAM, SGD);
    let change = |first| found.mean_of_all(&less(first, SGD), LAMBDA).abs();
    Verdict::of(vec![
        Check::at_least(
            "λ_max of Adam above that of SGD, in standard errors",
            in_errors(found, &adam, LAMBDA),
            SHARPER,
        ),
        Check::at_least(
            "test accuracy of Adam below that of SGD, in standard errors",
            -in_errors(found, &adam, TEST),
            WORSE,
        ),
        Check::at_least(
            "λ_max of AdamW above that of SGD, in standard errors",
            in_errors(found, &less(ADAM_W, SGD), LAMBDA),
            SHARPER,
        )
        .minor(),
        Check::at_least(
            "change of λ_max from SGD to Adam over that to a quarter of the rate",
            change(ADAM) / change(SLOW_SGD),
            1.0,
        )
        .minor(),
        Check::at_least(
            "barrier from SGD to Adam above that to SGD in another order, in standard errors",
            in_errors(found, &less(ADAM, OTHER_ORDER), BARRIER),
            HIGHER,
        )
        .minor(),
        Check::at_least(
            "barrier from SGD to Adam over the training loss of the ends",
            found.mean_of_all(&between(SGD, ADAM), BARRIER) / GOAL,
            SEPARATE,
        )
        .minor(),
        Check::at_least(
            "stable rank of Muon's change of the middle layer over that of Adam's",
            found.mean_of_all(MUON, STABLE) / found.mean_of_all(ADAM, STABLE),
            DIVERSE,
        )
        .minor(),
        Check::at_most(
            "largest difference of training losses from that of SGD over the goal, of all five",
            losses_apart(found) / GOAL,
            SAME_LOSS,
        )
        .minor(),
        Check::at_most(
            "most steps to the goal over the fewest, of all five",
            steps_apart(found),
            AS_FAST,
        )
        .minor(),
    ])
}

/// Not a number if one of the optimizers was not there with every seed.
fn losses_apart(found: &Measured) -> f64 {
    let mut most = 0.0_f64;
    for name in MATCHED.into_iter().filter(|name| *name != SGD) {
        let apart = found.mean_of_all(&less(name, SGD), LOSS).abs();
        if apart.is_nan() {
            return f64::NAN;
        }
        most = most.max(apart);
    }
    most
}

/// Not a number if one of the optimizers was not there with every seed.
fn steps_apart(found: &Measured) -> f64 {
    let steps = MATCHED.map(|row| found.mean_of_all(row, STEPS));
    if steps.iter().any(|steps| steps.is_nan()) {
        return f64::NAN;
    }
    let most = steps.into_iter().fold(0.0, f64::max);
    most / steps.into_iter().fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// Five seeds around these differences from SGD, with Muon's steps.
    fn measured(sharpness: f64, accuracy: f64, muon: f64) -> Measured {
        let mut found = Measured::default();
        for offset in [-2.0, -1.0, 0.0, 1.0, 2.0] {
            for name in MATCHED {
                let steps = if name == MUON { muon } else { 400.0 };
                found.push(name, STEPS, steps + offset);
            }
            for name in [ADAM, ADAM_W] {
                let row = less(name, SGD);
                found.push(row.as_str(), LAMBDA, sharpness + 0.02 * offset);
                found.push(row.as_str(), TEST, accuracy + 0.001 * offset);
            }
            for name in [MOMENTUM, ADAM, ADAM_W, MUON] {
                found.push(less(name, SGD), LOSS, 1e-4 * offset);
            }
            found.push(between(SGD, ADAM), BARRIER, 0.1 + 0.02 * offset);
            found.push(ADAM, STABLE, 5.0 + 0.1 * offset);
            found.push(MUON, STABLE, 20.0 + 0.1 * offset);
            found.push(less(SLOW_SGD, SGD), LAMBDA, 0.05 + 0.02 * offset);
            found.push(less(ADAM, OTHER_ORDER), BARRIER, 0.1 + 0.02 * offset);
        }
        found
    }

    /// The places of the checks that do not hold.
    fn failing(found: &Measured) -> Vec<usize> {
        let checks = judge(found).checks.into_iter().enumerate();
        let failing = checks.filter(|(_, check)| !check.holds);
        failing.map(|(place, _)| place).collect()
    }

    #[test]
    fn sharper_minima_that_classify_worse_pass() {
        let verdict = judge(&measured(0.2, -0.01, 300.0));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
    }

    #[test]
    fn sharper_minima_that_classify_as_well_are_a_part() {
        let found = measured(0.2, 0.0, 400.0);
        assert_eq!(judge(&found).outcome, Outcome::PartlyReproduced);
        assert_eq!(failing(&found), [1]);
    }

    #[test]
    fn a_seed_that_did_not_get_there_is_not_left_out() {
        let mut found = measured(0.2, -0.01, 400.0);
        found.push(less(ADAM, SGD), LAMBDA, f64::NAN);
        assert_eq!(failing(&found), [0, 3]);
        found.push(less(MUON, SGD), LOSS, f64::NAN);
        assert_eq!(failing(&found), [0, 3, 7]);
    }

    #[test]
    fn other_rates_are_noticed() {
        let found = measured(0.2, -0.01, 1000.0);
        assert_eq!(judge(&found).outcome, Outcome::PartlyReproduced);
        assert_eq!(failing(&found), [8]);
    }

    #[test]
    fn minima_that_are_flatter_or_differ_by_chance_fail() {
        // The first is a lower λ_max, the second less than 3 standard errors of 0.014 above.
        for sharpness in [-0.2, 0.04] {
            let verdict = judge(&measured(sharpness, 0.001, 400.0));
            assert_eq!(verdict.outcome, Outcome::NotReproduced);
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
        assert_eq!(less(ADAM, SGD), "Adam − SGD");
        assert_eq!(between(SGD, MUON), "between SGD and Muon");
    }
}
