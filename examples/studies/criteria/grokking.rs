//! Generalization long after memorization.

use crate::studies::frame::{Check, Measured, Verdict};

/// Tasks.
pub(crate) const ADDITION: &str = "addition";
pub(crate) const DYCK: &str = "Dyck-1";

/// Trainings.
pub(crate) const PLAIN: &str = "weight decay 1";
pub(crate) const TWICE: &str = "weight decay 2";
pub(crate) const CONTROL: &str = "no weight decay";
pub(crate) const KICK: &str = "kick";
pub(crate) const NOISE: &str = "orthogonal noise";
pub(crate) const HALF: &str = "half projected";
pub(crate) const WHOLE: &str = "projected";

/// Steps, in multiples of 50.
pub(crate) const MEMORIZED: &str = "memorizes";
pub(crate) const GENERALIZED: &str = "generalizes";
pub(crate) const MOST: &str = "test 95 %";
pub(crate) const DELAY: &str = "test 95 % over memorizes";
pub(crate) const BEST: &str = "best test accuracy";
pub(crate) const LAST: &str = "last training accuracy";
pub(crate) const RATIO: &str = "time ratio";

/// The row of a training on a task.
pub(crate) fn row(task: &str, training: &str) -> String {
    format!("{task}: {training}")
}

/// How many times later than memorization generalization must come.
const LATER: f64 = 10.0;

/// The share of the values for which something holds. Not a number without values.
fn share(values: &[f64], holds: fn(f64) -> bool) -> f64 {
    let holding = values.iter().filter(|value| holds(**value));
    holding.count() as f64 / values.len() as f64
}

/// Four of five seeds generalize late on modular addition, and none does without weight decay. Early signs are reported
/// and have no bar.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let (plain, control) = (row(ADDITION, PLAIN), row(ADDITION, CONTROL));
    let late = share(found.values(&plain, DELAY), |delay| delay >= LATER);
    let memorized = share(found.values(&control, MEMORIZED), f64::is_finite);
    let best = found.values(&control, BEST).iter().copied();
    let best = best.reduce(f64::max).unwrap_or(f64::NAN);
    Verdict::of(vec![
        Check::at_least(
            "share of seeds that reach a test accuracy of 95 % ten times later than they memorize",
            late,
            0.8,
        ),
        Check::at_least("share of controls that memorize", memorized, 1.0).minor(),
        Check::at_most("best test accuracy of all controls", best, 0.5),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    fn measured(delays: [f64; 5], best: f64) -> Measured {
        let mut found = Measured::default();
        let (plain, control) = (row(ADDITION, PLAIN), row(ADDITION, CONTROL));
        found.extend(&plain, DELAY, delays);
        found.extend(&control, MEMORIZED, [100.0; 5]);
        found.extend(&control, BEST, [0.003, 0.0, best, 0.0, 0.01]);
        found
    }

    fn outcome(found: &Measured) -> Outcome {
        judge(found).outcome
    }

    #[test]
    fn the_numbers_of_the_recipe_pass() {
        let found = measured([33.0, 49.0, 33.0, 33.0, 31.0], 0.003);
        assert_eq!(outcome(&found), Outcome::Reproduced);
        // One seed may fail.
        let found = measured([33.0, f64::NAN, 33.0, 33.0, 31.0], 0.003);
        assert_eq!(outcome(&found), Outcome::Reproduced);
    }

    #[test]
    fn networks_that_generalize_at_once_or_never_fail() {
        let early = measured([4.0, 3.0, 33.0, 33.0, 31.0], 0.003);
        assert_eq!(outcome(&early), Outcome::PartlyReproduced);
        let never = measured([f64::NAN; 5], 0.003);
        assert_eq!(outcome(&never), Outcome::PartlyReproduced);
    }

    #[test]
    fn a_control_that_generalizes_fails() {
        let found = measured([33.0, 49.0, 33.0, 33.0, 31.0], 0.9);
        assert_eq!(outcome(&found), Outcome::PartlyReproduced);
        let found = measured([4.0; 5], 0.9);
        assert_eq!(outcome(&found), Outcome::NotReproduced);
    }

    #[test]
    fn a_control_must_memorize() {
        let mut found = measured([33.0, 49.0, 33.0, 33.0, 31.0], 0.003);
        found.push(row(ADDITION, CONTROL), MEMORIZED, f64::NAN);
        assert_eq!(outcome(&found), Outcome::PartlyReproduced);
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }
}
