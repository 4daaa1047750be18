//! Which wave speeds a physics-informed network learns.

use crate::studies::frame::{Check, Measured, Verdict};

pub(crate) const SPEEDS: [f64; 6] = [1.0, 5.0, 10.0, 15.0, 20.0, 30.0];
/// The speed that must be learned, and the one that must not.
const SLOW: f64 = 10.0;
const FAST: f64 = 30.0;

pub(crate) const CURRICULUM: &str = "curriculum to β = 30";

pub(crate) const ERROR: &str = "relative error";
pub(crate) const LOSS: &str = "last loss";
pub(crate) const BEFORE: &str = "λ_max before";
pub(crate) const AFTER: &str = "λ_max after";
pub(crate) const WELLS: &str = "wells";
pub(crate) const RESOLVED: &str = "resolved wells";

/// The row of a wave speed.
pub(crate) fn of_speed(beta: f64) -> String {
    format!("β = {beta}")
}

/// The largest or smallest error of all seeds. Not a number if one is missing.
fn worst(found: &Measured, row: &str, of: fn(f64, f64) -> f64) -> f64 {
    let errors = found.values(row, ERROR);
    if errors.iter().any(|error| error.is_nan()) {
        return f64::NAN;
    }
    errors.iter().copied().reduce(of).unwrap_or(f64::NAN)
}

/// Slow waves are learned and fast ones are not, unless the speed is raised in stages.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let slow = worst(found, &of_speed(SLOW), f64::max);
    let fast = worst(found, &of_speed(FAST), f64::min);
    let raised = worst(found, CURRICULUM, f64::max);
    Verdict::of(vec![
        Check::at_most("largest error for β = 10", slow, 0.05),
        Check::at_least("smallest error for β = 30", fast, 0.5),
        Check::at_most("largest error for β = 30 by the curriculum", raised, 0.1),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// Errors of two seeds each.
    fn measured(slow: [f64; 2], fast: [f64; 2], raised: [f64; 2]) -> Measured {
        let mut found = Measured::default();
        let (ten, thirty) = (of_speed(10.0), of_speed(30.0));
        for (row, errors) in [(ten.as_str(), slow), (&thirty, fast), (CURRICULUM, raised)] {
            found.extend(row, ERROR, errors);
        }
        found
    }

    fn failed(found: &Measured) -> usize {
        let verdict = judge(found);
        let failed = verdict.checks.iter().filter(|check| !check.holds);
        failed.count()
    }

    #[test]
    fn the_numbers_of_the_recipe_pass() {
        let found = measured([0.002, 0.002], [0.86, 1.0], [0.012, 0.012]);
        assert_eq!(judge(&found).outcome, Outcome::Reproduced);
    }

    #[test]
    fn one_seed_is_enough_to_fail() {
        let good = ([0.002, 0.002], [0.86, 1.0], [0.012, 0.012]);
        assert_eq!(failed(&measured([0.002, 0.06], good.1, good.2)), 1);
        assert_eq!(failed(&measured(good.0, [0.4, 1.0], good.2)), 1);
        assert_eq!(failed(&measured(good.0, good.1, [0.73, 0.012])), 1);
        assert_eq!(failed(&measured(good.0, good.1, [0.012, f64::NAN])), 1);
    }

    #[test]
    fn an_optimizer_that_learns_nothing_or_everything_is_another_finding() {
        let nothing = measured([1.0, 1.0], [1.0, 1.0], [1.0, 1.0]);
        assert_eq!(judge(&nothing).outcome, Outcome::PartlyReproduced);
        assert_eq!(failed(&nothing), 2);
        let all = measured([0.001, 0.001], [0.01, 0.01], [0.01, 0.01]);
        assert_eq!(failed(&all), 1);
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }
}
