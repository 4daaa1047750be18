//! Small and large batches.

use burnscape::krylov::Estimate;

use crate::studies::frame::{Check, Measured, Verdict};

/// The training loss at which runs are compared.
pub(crate) const GOAL: f64 = 0.01;

/// The runs that differ in the batch alone, and in the rate alone.
pub(crate) const SMALL: &str = "batch 16, rate 0.1";
pub(crate) const ALL: &str = "all, rate 0.1";
pub(crate) const FAST: &str = "all, rate 1.6";

/// Pairs of them with the same seed.
pub(crate) const BATCH: &str = "batch 16 against all";
pub(crate) const RATE: &str = "rate 1.6 against 0.1";
/// Of pairs: the ratio of λ_max less one, and the difference of test accuracies.
pub(crate) const CHANGE: &str = "change of λ_max";
pub(crate) const GAIN: &str = "gain in test accuracy";

pub(crate) const LAMBDA: &str = "λ_max";
pub(crate) const TEST: &str = "test accuracy";

/// The row of a run that ends at the training loss.
pub(crate) fn at_goal(setting: &str) -> String {
    format!("{setting}: loss {GOAL}")
}

/// The row of a run that ends after these steps.
pub(crate) fn after(setting: &str, steps: usize) -> String {
    format!("{setting}: {steps} steps")
}

/// At the same training loss, small batches end in flatter minima, more so than high rates do, and classify better.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let (_, high) = interval(found.values(BATCH, CHANGE));
    let (low, _) = interval(found.values(BATCH, GAIN));
    let [batch, rate] = [BATCH, RATE].map(|row| found.mean(row, CHANGE).abs());
    Verdict::of(vec![
        Check::at_most(
            "change of λ_max by batches of 16, upper end of its 95 % interval",
            high,
            0.0,
        ),
        Check::at_least(
            "their gain in test accuracy, lower end of its 95 % interval",
            low,
            0.0,
        ),
        Check::at_least(
            "change of λ_max by the batch over that by the rate",
            batch / rate,
            1.0,
        )
        .minor(),
    ])
}

/// The 95 % interval of a mean; not numbers for fewer than two values.
fn interval(values: &[f64]) -> (f64, f64) {
    let finite: Vec<f64> = values.iter().copied().filter(|it| it.is_finite()).collect();
    let mean = Estimate::of(&finite);
    let half = mean.half_width(0.95).unwrap_or(f64::NAN);
    (mean.value - half, mean.value + half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// Five seeds around these means.
    fn measured(batch: f64, rate: f64, gain: f64) -> Measured {
        let mut found = Measured::default();
        for spread in [-2.0, -1.0, 0.0, 1.0, 2.0] {
            found.push(BATCH, CHANGE, batch + 0.02 * spread);
            found.push(RATE, CHANGE, rate + 0.02 * spread);
            found.push(BATCH, GAIN, gain + 0.001 * spread);
        }
        found
    }

    fn outcome(found: &Measured) -> Outcome {
        judge(found).outcome
    }

    #[test]
    fn flat_minima_of_small_batches_that_classify_better_pass() {
        assert_eq!(outcome(&measured(-0.9, -0.3, 0.01)), Outcome::Reproduced);
    }

    #[test]
    fn a_small_effect_without_a_gap_is_a_part() {
        let verdict = judge(&measured(-0.12, -0.38, 0.0));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
        let holds: Vec<bool> = verdict.checks.iter().map(|check| check.holds).collect();
        assert_eq!(holds, [true, false, false]);
    }

    #[test]
    fn no_effect_and_no_gap_fail() {
        // The batch counts more than the rate, but neither is known to do anything.
        let found = measured(-0.02, 0.01, 0.0);
        assert_eq!(outcome(&found), Outcome::NotReproduced);
        assert_eq!(outcome(&measured(0.5, -0.3, -0.01)), Outcome::NotReproduced);
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }

    #[test]
    fn intervals_leave_out_what_was_not_reached() {
        let (low, high) = interval(&[1.0, f64::NAN, 3.0, 2.0]);
        assert!(low < 2.0 && high > 2.0 && (low + high - 4.0).abs() < 1e-12);
        assert!(interval(&[1.0]).0.is_nan());
    }
}
