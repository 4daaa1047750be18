//! The noise of minibatches beside Gaussian noise.

use crate::studies::frame::{Check, Measured, Verdict};
use crate::studies::numbers::number;

/// Where all runs begin.
pub(crate) const START: &str = "start";
/// What is added to the gradient of all data, in the runs from there.
pub(crate) const NONE: &str = "no noise";
pub(crate) const MINIBATCH: &str = "minibatches (SGD)";
pub(crate) const GAUSSIAN: &str = "Gaussian, the same Σ";
pub(crate) const ISOTROPIC: &str = "isotropic, the same trace";

/// Differences of runs with the same seed.
pub(crate) const NONE_MINIBATCH: &str = "no noise − SGD";
pub(crate) const MINIBATCH_GAUSSIAN: &str = "SGD − Gaussian";
pub(crate) const ISOTROPIC_MINIBATCH: &str = "isotropic − SGD";

/// Of the Hessian, mean over the last quarter of the run.
pub(crate) const LAMBDA: &str = "λ_max";
pub(crate) const TEST: &str = "test loss";
/// `tr(HΣ) d / (tr H tr Σ)` of `d` weights: one for isotropic noise.
pub(crate) const ALIGNMENT: &str = "alignment of Σ and H";
/// Steps until λ_max is that share of what it was.
pub(crate) const TIME: &str = "steps to half of λ_max";
pub(crate) const OUT: f64 = 0.5;

/// In standard errors of differences.
const APART: f64 = 3.0;
/// The largest share that the difference of SGD and Gaussian noise may have of what SGD changes.
const SHARE: f64 = 0.25;
/// How many times as much of Σ is along the curvature as of isotropic noise.
const ALIGNED: f64 = 10.0;

/// SGD leaves a sharp minimum for a flatter place, Gaussian noise of the same covariance does the same, and isotropic
/// noise of the same trace does not.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let errors =
        |row: &str, column: &str| found.mean(row, column) / found.standard_error(row, column);
    let apart = errors(MINIBATCH_GAUSSIAN, LAMBDA).abs();
    let [difference, effect] =
        [MINIBATCH_GAUSSIAN, NONE_MINIBATCH].map(|row| found.mean(row, LAMBDA).abs());
    let share = difference / effect;
    let agreement = format!(
        "λ_max after SGD and after Gaussian noise of the same covariance: {} standard errors apart, at most {}, and \
         by {} of what SGD changes, at most {}",
        number(apart),
        number(APART),
        number(share),
        number(SHARE)
    );
    Verdict::of(vec![
        Check::at_least(
            "λ_max without noise less that after SGD, in standard errors",
            errors(NONE_MINIBATCH, LAMBDA),
            APART,
        ),
        Check::new(agreement, apart <= APART && share <= SHARE),
        Check::at_least(
            "λ_max after isotropic noise less that after SGD, in standard errors",
            errors(ISOTROPIC_MINIBATCH, LAMBDA),
            APART,
        ),
        Check::at_least(
            "tr(HΣ) over that of isotropic noise of the same trace, at the start",
            found.mean(START, ALIGNMENT),
            ALIGNED,
        )
        .minor(),
        Check::at_most(
            "test loss after SGD and after Gaussian noise apart, in standard errors",
            errors(MINIBATCH_GAUSSIAN, TEST).abs(),
            APART,
        )
        .minor(),
        Check::at_least(
            "test loss after isotropic noise less that after SGD, in standard errors",
            errors(ISOTROPIC_MINIBATCH, TEST),
            APART,
        )
        .minor(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// Five seeds around these differences of λ_max.
    fn measured(effect: f64, gaussian: f64, isotropic: f64) -> Measured {
        let mut found = Measured::default();
        for spread in [-2.0, -1.0, 0.0, 1.0, 2.0] {
            let near = |value: f64| value + 0.3 * spread;
            found.push(NONE_MINIBATCH, LAMBDA, near(effect));
            found.push(MINIBATCH_GAUSSIAN, LAMBDA, near(gaussian));
            found.push(ISOTROPIC_MINIBATCH, LAMBDA, near(isotropic));
            found.push(START, ALIGNMENT, 40.0 + spread);
            found.push(MINIBATCH_GAUSSIAN, TEST, 0.001 * spread);
            found.push(ISOTROPIC_MINIBATCH, TEST, 0.02 + 0.001 * spread);
        }
        found
    }

    fn holds(verdict: &Verdict) -> Vec<bool> {
        verdict.checks.iter().map(|check| check.holds).collect()
    }

    #[test]
    fn what_the_papers_say_passes() {
        let verdict = judge(&measured(6.0, 0.2, 5.0));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
        assert!(verdict.checks[1].text.contains("by 0.03333 of"));
    }

    #[test]
    fn isotropic_noise_that_does_the_same_leaves_a_part() {
        let verdict = judge(&measured(6.0, 0.2, -0.1));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
        assert_eq!(holds(&verdict), [true, true, false, true, true, true]);
    }

    #[test]
    fn gaussian_noise_must_agree_by_error_and_by_size() {
        // Five standard errors apart; and three errors that are most of the effect.
        for (effect, gaussian) in [(6.0, 1.1), (0.8, 0.5)] {
            let verdict = judge(&measured(effect, gaussian, 5.0));
            assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
            assert_eq!(holds(&verdict)[..3], [true, false, true]);
        }
    }

    #[test]
    fn noise_that_changes_nothing_fails() {
        // Aligned noise alone is no escape, and runs that are the same agree.
        let verdict = judge(&measured(0.1, 0.1, 0.1));
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert_eq!(holds(&verdict), [false, false, false, true, true, true]);
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }
}
