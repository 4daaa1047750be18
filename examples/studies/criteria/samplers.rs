//! Samplers of a posterior whose learning coefficient is known.

use crate::studies::frame::{Check, Measured, Verdict};

/// `nβ (E[L] − L(w₀))` at `nβ = 1000` and `γ = 1`, by quadrature.
pub(crate) const EXACT: f64 = 1.441_761;

pub(crate) const LONG: &str = "unadjusted, step 4e-4";
pub(crate) const SHORT: &str = "unadjusted, step 1e-4";
pub(crate) const MALA: &str = "MALA, step 4e-4";
pub(crate) const MALA_LONGER: &str = "MALA, step 1e-3";
pub(crate) const COLD: &str = "step 1e-4, first 1,000 draws";
pub(crate) const COLD_LONGER: &str = "step 1e-4, first 10,000 draws";

pub(crate) const VALUE: &str = "coefficient";
/// Of the mean of the chains of a seed.
pub(crate) const ERROR: &str = "error by chains";
pub(crate) const SPLIT: &str = "split R-hat";
pub(crate) const RANK: &str = "rank R-hat";
pub(crate) const DRIFT: &str = "drift";
pub(crate) const ACCEPTED: &str = "accepted";
pub(crate) const HALF: &str = "at half of the step";
pub(crate) const EXTRAPOLATED: &str = "extrapolated";
pub(crate) const FLAGGED: &str = "flagged";

/// So many standard errors are a difference.
const APART: f64 = 3.0;

/// The standard error of the mean over seeds, by the chains of each.
fn error(found: &Measured, row: &str) -> f64 {
    let errors = found.values(row, ERROR);
    let squares: f64 = errors.iter().map(|error| error * error).sum();
    squares.sqrt() / errors.len() as f64
}

/// Unadjusted steps are too high, the adjusted ones right, a cold start too low, and R-hat sees nothing of the step.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let value = |row| found.mean(row, VALUE);
    let above = |row| (value(row) - EXACT) / error(found, row);
    let rhat = |row| found.mean(row, SPLIT);
    let adjusted = error(found, MALA);
    Verdict::of(vec![
        Check::at_least(
            "unadjusted steps of 4e-4: standard errors above the exact value",
            above(LONG),
            APART,
        ),
        Check::at_least("of 1e-4", above(SHORT), APART),
        Check::agrees("MALA with a step of 4e-4", value(MALA), adjusted, EXACT),
        Check::at_most("its standard error", adjusted, 0.01).minor(),
        Check::at_least(
            "1,000 draws from the minimum on: standard errors below it",
            -above(COLD),
            APART,
        ),
        Check::at_most("split R-hat of steps of 4e-4", rhat(LONG), 1.02),
        Check::at_most("of 1e-4", rhat(SHORT), 1.01),
        Check::at_least(
            "share of seeds in which half of the step finds the bias of 4e-4",
            found.mean(LONG, FLAGGED),
            1.0,
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// What the recipe saw, with this value of MALA and R-hat of long steps.
    fn measured(adjusted: f64, rhat: f64) -> Measured {
        let mut found = Measured::default();
        for _ in 0..5 {
            for (row, value, error, split) in [
                (LONG, 1.670, 0.018, rhat),
                (SHORT, 1.503, 0.01, 1.005),
                (MALA, adjusted, 0.006, 1.001),
                (COLD, 0.938, 0.026, 1.12),
            ] {
                found.push(row, VALUE, value);
                found.push(row, ERROR, error);
                found.push(row, SPLIT, split);
            }
            found.push(LONG, FLAGGED, 1.0);
        }
        found
    }

    /// Checks that fail, where others hold.
    fn failed(found: &Measured) -> usize {
        let verdict = judge(found);
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
        let failed = verdict.checks.iter().filter(|check| !check.holds);
        failed.count()
    }

    #[test]
    fn the_numbers_of_the_recipe_pass() {
        let verdict = judge(&measured(1.4403, 1.010));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
    }

    #[test]
    fn errors_of_chains_are_joined_over_seeds() {
        let found = measured(1.4403, 1.010);
        assert!((error(&found, LONG) - 0.018 / 5.0_f64.sqrt()).abs() < 1e-12);
        assert!(error(&found, MALA_LONGER).is_nan());
    }

    #[test]
    fn biased_adjusted_steps_fail_and_so_does_an_r_hat_that_sees_it() {
        assert_eq!(failed(&measured(1.46, 1.010)), 1);
        assert_eq!(failed(&measured(1.4403, 1.03)), 1);
    }

    #[test]
    fn samplers_that_are_all_right_fail() {
        let mut found = Measured::default();
        for row in [LONG, SHORT, MALA, COLD] {
            for offset in [-0.01, 0.01] {
                found.push(row, VALUE, EXACT + offset);
                found.push(row, ERROR, 0.01);
                found.push(row, SPLIT, 1.001);
            }
            found.push(LONG, FLAGGED, 0.0);
        }
        assert_eq!(failed(&found), 4);
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }
}
