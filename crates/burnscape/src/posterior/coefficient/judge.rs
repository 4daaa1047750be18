//! Which findings follow from which numbers.

use super::finding::at_least;
use super::{Finding, Thresholds};

/// What a run has measured.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    pub(super) estimate: f64,
    pub(super) standard_error: f64,
    /// By how much descent lowered `nβ L`; none if it was not done.
    pub(super) descent_drop: Option<f64>,
    /// What rounding may make of that.
    pub(super) rounding: f64,
    pub(super) share_below: Option<f64>,
    pub(super) localizer: f64,
    /// Estimate and standard error with half of the localizer.
    pub(super) half_localizer: Option<(f64, f64)>,
    pub(super) step: f64,
    /// Estimate and standard error with half of the step.
    pub(super) half_step: Option<(f64, f64)>,
    pub(super) ess: f64,
    pub(super) drift: f64,
    pub(super) rhat: f64,
    pub(super) num_chains: usize,
}

/// Estimates at a setting and half of it.
struct Change {
    at_half: f64,
    size: f64,
    error: f64,
}

impl Evidence {
    fn change(&self, half: Option<(f64, f64)>) -> Option<Change> {
        half.map(|(at_half, error)| Change {
            at_half,
            size: (at_half - self.estimate).abs(),
            error: self.standard_error.hypot(error),
        })
    }
}

/// The estimate at a step of zero, if the bias is linear in the step.
pub(super) fn extrapolated(estimate: f64, at_half_step: f64) -> f64 {
    2.0 * at_half_step - estimate
}

/// Its standard error, from those of the two.
pub(super) fn extrapolated_error(estimate: f64, at_half_step: f64) -> f64 {
    (2.0 * at_half_step).hypot(estimate)
}

/// Whether chains of this effective size, drift and R-hat are long enough.
pub(in crate::posterior) fn are_long(
    [ess, drift, rhat]: [f64; 3],
    thresholds: &Thresholds,
) -> bool {
    at_least(ess, thresholds.min_ess)
        && at_least(thresholds.standard_errors, drift.abs())
        && at_least(thresholds.max_rhat, rhat)
}

/// The findings, refusals first.
pub(super) fn judge(seen: &Evidence, thresholds: &Thresholds) -> Vec<Finding> {
    let mut findings = Vec::new();
    let estimate = seen.estimate;
    let drop = seen.descent_drop.unwrap_or(0.0);
    let allowed = thresholds.descent_share * estimate.abs();
    let is_descent = drop > allowed && drop > seen.rounding;
    let is_below = seen
        .share_below
        .is_some_and(|share| share > thresholds.share_below);
    if is_descent || is_below {
        findings.push(Finding::NoMinimum {
            estimate,
            descent_drop: drop,
            descent_steps: thresholds.descent_steps,
            descent_share: thresholds.descent_share,
            is_descent,
            share_below: seen.share_below,
            max_share_below: thresholds.share_below,
        });
    }
    let standard_errors = thresholds.standard_errors;
    if let Some(change) = seen.change(seen.half_localizer)
        && change.size > thresholds.localizer_share * estimate.abs()
        && change.size > standard_errors * change.error
    {
        findings.push(Finding::LocalizerDominated {
            estimate,
            at_half: change.at_half,
            difference_error: change.error,
            localizer: seen.localizer,
            localizer_share: thresholds.localizer_share,
            standard_errors,
        });
    }
    if !are_long([seen.ess, seen.drift, seen.rhat], thresholds) {
        findings.push(Finding::ChainsTooShort {
            ess: seen.ess,
            min_ess: thresholds.min_ess,
            drift: seen.drift,
            standard_errors,
            rhat: seen.rhat,
            max_rhat: thresholds.max_rhat,
        });
    }
    if let Some((_, half_error)) = seen.half_step
        && let Some(change) = seen.change(seen.half_step)
        && change.size > standard_errors * change.error
    {
        findings.push(Finding::BiasedStep {
            step: seen.step,
            estimate,
            at_half: change.at_half,
            extrapolated: extrapolated(estimate, change.at_half),
            extrapolated_error: extrapolated_error(seen.standard_error, half_error),
            difference_error: change.error,
            standard_errors,
        });
    }
    if seen.num_chains < 2 {
        findings.push(Finding::SingleChain);
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean() -> Evidence {
        Evidence {
            estimate: 2.0,
            standard_error: 0.03,
            descent_drop: Some(0.0),
            rounding: 1e-12,
            share_below: Some(0.0),
            localizer: 1.0,
            half_localizer: Some((2.0, 0.04)),
            step: 1e-3,
            half_step: Some((2.0, 0.04)),
            ess: 5000.0,
            drift: 0.3,
            rhat: 1.001,
            num_chains: 4,
        }
    }

    /// One letter for each finding.
    fn found(change: impl FnOnce(&mut Evidence)) -> String {
        found_with(&Thresholds::new(), change)
    }

    fn found_with(thresholds: &Thresholds, change: impl FnOnce(&mut Evidence)) -> String {
        let mut evidence = clean();
        change(&mut evidence);
        let findings = judge(&evidence, thresholds);
        findings.iter().map(letter).collect()
    }

    fn letter(finding: &Finding) -> char {
        match finding {
            Finding::NoMinimum { .. } => 'M',
            Finding::LocalizerDominated { .. } => 'L',
            Finding::ChainsTooShort { .. } => 'C',
            Finding::BiasedStep { .. } => 'B',
            Finding::SingleChain => 'S',
        }
    }

    #[test]
    fn clean_evidence_has_no_findings() {
        assert_eq!(found(|_| ()), "");
        // Nothing was checked.
        let unchecked = found(|seen| {
            seen.descent_drop = None;
            seen.share_below = None;
            seen.half_localizer = None;
            seen.half_step = None;
        });
        assert_eq!(unchecked, "");
    }

    #[test]
    fn descent_by_more_than_a_tenth_of_the_estimate_is_no_minimum() {
        assert_eq!(found(|seen| seen.descent_drop = Some(0.19)), "");
        assert_eq!(found(|seen| seen.descent_drop = Some(0.21)), "M");
        // The size of a negative estimate counts.
        let negative = |drop: f64| {
            found(|seen| {
                seen.estimate = -2.0;
                seen.half_localizer = None;
                seen.half_step = None;
                seen.descent_drop = Some(drop);
            })
        };
        assert_eq!(negative(0.19), "");
        assert_eq!(negative(0.21), "M");
        // Descent upwards, as the localizer may ask for.
        assert_eq!(found(|seen| seen.descent_drop = Some(-1.0)), "");
        let strict = Thresholds::new().with_descent_share(0.05);
        let drop = found_with(&strict, |seen| seen.descent_drop = Some(0.11));
        assert_eq!(drop, "M");
    }

    #[test]
    fn rounding_is_no_descent() {
        let flat = |drop: f64| {
            found(|seen| {
                seen.estimate = 0.0;
                seen.half_localizer = None;
                seen.half_step = None;
                seen.descent_drop = Some(drop);
            })
        };
        assert_eq!(flat(0.0), "");
        assert_eq!(flat(0.9e-12), "");
        assert_eq!(flat(1.1e-12), "M");
    }

    #[test]
    fn more_than_one_draw_in_a_hundred_below_is_no_minimum() {
        assert_eq!(found(|seen| seen.share_below = Some(0.01)), "");
        assert_eq!(found(|seen| seen.share_below = Some(0.011)), "M");
        let lax = Thresholds::new().with_share_below(0.02);
        let share = found_with(&lax, |seen| seen.share_below = Some(0.011));
        assert_eq!(share, "");
    }

    #[test]
    fn the_localizer_dominates_beyond_a_tenth_and_two_standard_errors() {
        // A joint error of 0.05.
        assert_eq!(found(|seen| seen.half_localizer = Some((2.19, 0.04))), "");
        assert_eq!(found(|seen| seen.half_localizer = Some((2.21, 0.04))), "L");
        assert_eq!(found(|seen| seen.half_localizer = Some((1.79, 0.04))), "L");
        // Two joint errors are 0.25 and 0.15.
        let error = 0.125_f64.powi(2) - 0.03_f64.powi(2);
        let half = Some((2.24, error.sqrt()));
        assert_eq!(found(|seen| seen.half_localizer = half), "");
        let error = 0.1_f64.powi(2) - 0.03_f64.powi(2);
        let half = Some((2.24, error.sqrt()));
        assert_eq!(found(|seen| seen.half_localizer = half), "L");
        let lax = Thresholds::new().with_localizer_share(0.2);
        let half = found_with(&lax, |seen| seen.half_localizer = Some((2.21, 0.04)));
        assert_eq!(half, "");
        let lax = Thresholds::new().with_standard_errors(5.0);
        let half = found_with(&lax, |seen| seen.half_localizer = Some((2.21, 0.04)));
        assert_eq!(half, "");
    }

    #[test]
    fn chains_are_too_short_by_each_of_three_numbers() {
        assert_eq!(found(|seen| seen.ess = 1000.0), "");
        assert_eq!(found(|seen| seen.ess = 999.0), "C");
        assert_eq!(found(|seen| seen.drift = 2.0), "");
        assert_eq!(found(|seen| seen.drift = 2.01), "C");
        assert_eq!(found(|seen| seen.drift = -2.01), "C");
        assert_eq!(found(|seen| seen.rhat = 1.01), "");
        assert_eq!(found(|seen| seen.rhat = 1.0101), "C");
        for unknown in [f64::NAN, f64::INFINITY] {
            assert_eq!(found(|seen| seen.rhat = unknown), "C");
            assert_eq!(found(|seen| seen.drift = unknown), "C");
        }
        assert_eq!(found(|seen| seen.ess = f64::NAN), "C");
        let lax = Thresholds::new().with_min_ess(500.0).with_max_rhat(1.1);
        let short = found_with(&lax, |seen| {
            seen.ess = 600.0;
            seen.rhat = 1.05;
        });
        assert_eq!(short, "");
    }

    #[test]
    fn a_step_is_biased_beyond_two_standard_errors() {
        assert_eq!(found(|seen| seen.half_step = Some((1.91, 0.04))), "");
        assert_eq!(found(|seen| seen.half_step = Some((1.89, 0.04))), "B");
        assert_eq!(found(|seen| seen.half_step = Some((2.11, 0.04))), "B");
        let lax = Thresholds::new().with_standard_errors(3.0);
        let half = found_with(&lax, |seen| seen.half_step = Some((1.89, 0.04)));
        assert_eq!(half, "");
        assert_eq!(extrapolated(1.75, 1.5), 1.25);
        assert_eq!(extrapolated_error(0.3, 0.2), 0.5);
    }

    #[test]
    fn an_r_hat_near_one_does_not_hide_a_biased_step() {
        // Euler steps on reduced-rank regression: 16 % too high at an R-hat of 1.010.
        let seen = found(|seen| {
            seen.estimate = 1.670;
            seen.standard_error = 0.013;
            seen.half_localizer = None;
            seen.half_step = Some((1.55, 0.013));
            seen.rhat = 1.010;
        });
        assert_eq!(seen, "B");
    }

    #[test]
    fn one_chain_is_found_and_findings_add_up_with_refusals_first() {
        assert_eq!(found(|seen| seen.num_chains = 1), "S");
        assert_eq!(found(|seen| seen.num_chains = 2), "");
        let all = found(|seen| {
            seen.num_chains = 1;
            seen.descent_drop = Some(1.0);
            seen.half_localizer = Some((3.0, 0.04));
            seen.half_step = Some((3.0, 0.04));
            seen.ess = 10.0;
        });
        assert_eq!(all, "MLCBS");
    }
}
