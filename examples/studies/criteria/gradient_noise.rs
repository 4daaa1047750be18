//! The noise of minibatches beside Gaussian noise. Fixed after pilots with the seeds 2 to 4.

use crate::studies::frame::{Check, Measured, Verdict};

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

/// Of the Hessian, mean over the last quarter of the noisy steps.
pub(crate) const LAMBDA: &str = "λ_max";
/// After the steps without noise that follow.
pub(crate) const LAST_LAMBDA: &str = "λ_max without noise";
pub(crate) const TEST: &str = "test loss";
/// `tr(HΣ) d / (tr H tr Σ)` of `d` weights: one for isotropic noise.
pub(crate) const ALIGNMENT: &str = "alignment of Σ and H";
/// Steps until λ_max is that share of what it was.
pub(crate) const TIME: &str = "steps to 0.8 of λ_max";
pub(crate) const OUT: f64 = 0.8;

/// In standard errors of differences.
const APART: f64 = 3.0;
/// The largest λ_max after SGD, over that without noise.
const FLATTER: f64 = 0.8;
/// The largest share that the difference of SGD and Gaussian noise may have of what SGD changes, with so many standard
/// errors added.
const SHARE: f64 = 0.25;
/// The largest share that isotropic noise may have of what SGD changes.
const ISOTROPIC_SHARE: f64 = 0.5;
/// How many times as much of Σ is along the curvature as of isotropic noise.
const ALIGNED: f64 = 10.0;

/// SGD leaves a sharp minimum for a flatter place, Gaussian noise of the same covariance does the same, and isotropic
/// noise of the same trace does not.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let isotropic_change = 1.0
        - found.mean_of_all(ISOTROPIC_MINIBATCH, LAMBDA)
            / found.mean_of_all(NONE_MINIBATCH, LAMBDA);
    Verdict::of(vec![
        Check::at_least(
            "λ_max without noise less that after SGD, in standard errors",
            in_errors(found, NONE_MINIBATCH, LAMBDA),
            APART,
        ),
        Check::at_most(
            "λ_max after SGD over that without noise",
            found.mean_of_all(MINIBATCH, LAMBDA) / found.mean_of_all(NONE, LAMBDA),
            FLATTER,
        )
        .minor(),
        Check::at_most(
            "difference of λ_max after SGD and after Gaussian noise of the same covariance, with 3 standard errors, \
             over what SGD changes",
            difference(found, LAMBDA),
            SHARE,
        ),
        Check::at_least(
            "λ_max after isotropic noise less that after SGD, in standard errors",
            in_errors(found, ISOTROPIC_MINIBATCH, LAMBDA),
            APART,
        ),
        Check::at_most(
            "what isotropic noise changes of λ_max over what SGD changes",
            isotropic_change,
            ISOTROPIC_SHARE,
        )
        .minor(),
        Check::at_least(
            "λ_max 200 steps without noise later, after isotropic noise less that after SGD, in standard errors",
            in_errors(found, ISOTROPIC_MINIBATCH, LAST_LAMBDA),
            APART,
        )
        .minor(),
        Check::at_least(
            "tr(HΣ) over that of isotropic noise of the same trace, at the start",
            found.mean_of_all(START, ALIGNMENT),
            ALIGNED,
        )
        .minor(),
        Check::at_most(
            "difference of the test loss after SGD and after Gaussian noise, with 3 standard errors, over what SGD \
             changes",
            difference(found, TEST),
            SHARE,
        )
        .minor(),
        Check::at_least(
            "test loss after isotropic noise less that after SGD, in standard errors",
            in_errors(found, ISOTROPIC_MINIBATCH, TEST),
            APART,
        )
        .minor(),
    ])
}

/// The mean of a row of differences over its standard error.
fn in_errors(found: &Measured, row: &str, column: &str) -> f64 {
    found.mean_of_all(row, column) / found.standard_error(row, column)
}

/// The most that SGD and Gaussian noise may differ by, over what SGD changes: many seeds make it small if they are the
/// same, and few do not.
fn difference(found: &Measured, column: &str) -> f64 {
    let error = found.standard_error(MINIBATCH_GAUSSIAN, column);
    let most = found.mean_of_all(MINIBATCH_GAUSSIAN, column).abs() + APART * error;
    most / found.mean_of_all(NONE_MINIBATCH, column).abs()
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
            found.push(NONE, LAMBDA, 10.0);
            found.push(MINIBATCH, LAMBDA, 10.0 - effect);
            found.push(NONE_MINIBATCH, LAMBDA, near(effect));
            found.push(MINIBATCH_GAUSSIAN, LAMBDA, near(gaussian));
            found.push(ISOTROPIC_MINIBATCH, LAMBDA, near(isotropic));
            found.push(ISOTROPIC_MINIBATCH, LAST_LAMBDA, near(isotropic));
            found.push(START, ALIGNMENT, 40.0 + spread);
            found.push(NONE_MINIBATCH, TEST, 0.03 + 0.001 * spread);
            found.push(MINIBATCH_GAUSSIAN, TEST, 0.001 * spread);
            found.push(ISOTROPIC_MINIBATCH, TEST, 0.02 + 0.001 * spread);
        }
        found
    }

    /// The places of the checks that do not hold.
    fn failing(verdict: &Verdict) -> Vec<usize> {
        let checks = verdict.checks.iter().enumerate();
        let failing = checks.filter(|(_, check)| !check.holds);
        failing.map(|(place, _)| place).collect()
    }

    #[test]
    fn what_the_papers_say_passes() {
        let verdict = judge(&measured(6.0, 0.2, 5.0));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
        // A mean of 0.2 and three errors of 0.21, of 6.
        assert!((difference(&measured(6.0, 0.2, 5.0), LAMBDA) - 0.139_4).abs() < 1e-3);
    }

    #[test]
    fn isotropic_noise_that_does_the_same_leaves_a_part() {
        let verdict = judge(&measured(6.0, 0.2, -0.1));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
        assert_eq!(failing(&verdict), [3, 4, 5]);
    }

    #[test]
    fn gaussian_noise_must_agree_by_error_and_by_size() {
        // A mean that is too large; and one of nothing whose error is too large for the effect.
        for (effect, gaussian) in [(6.0, 1.1), (2.2, 0.0)] {
            let verdict = judge(&measured(effect, gaussian, 5.0));
            assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
            assert_eq!(failing(&verdict), [2]);
        }
    }

    #[test]
    fn noise_that_changes_nothing_fails() {
        // Aligned noise alone is no escape, and runs that are the same agree.
        let verdict = judge(&measured(0.1, 0.1, 0.1));
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert_eq!(failing(&verdict), [0, 1, 2, 3, 5]);
    }

    #[test]
    fn a_run_that_is_lost_is_not_left_out() {
        let mut found = measured(6.0, 0.2, 5.0);
        found.push(ISOTROPIC_MINIBATCH, LAMBDA, f64::NAN);
        assert_eq!(failing(&judge(&found)), [3, 4]);
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }
}
