//! Warmup and clipping. Fixed after pilots with the seeds 2 to 4.

use burnscape::krylov::Estimate;

use crate::studies::frame::{Check, Measured, Verdict};

/// Rates that are tried, in units of the edge `2 / λ_max` of the network before it is trained.
pub(crate) const MULTIPLES: [f64; 9] = [1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0];
/// At which λ_max is compared.
pub(crate) const COMPARED: f64 = 4.0;
/// The smallest one.
pub(crate) const LOW: f64 = MULTIPLES[0];

pub(crate) const NONE: &str = "no warmup";
pub(crate) const SHORT: &str = "warmup of 100 steps";
pub(crate) const LONG: &str = "warmup of 200 steps";
pub(crate) const CLIPPED: &str = "clipping";

/// In units of the edge; one that ends at a low loss.
pub(crate) const LARGEST: &str = "largest trainable rate";
/// By how many factors of two it is larger than without warmup.
pub(crate) const DOUBLINGS: &str = "doublings over no warmup";

/// Means over the readings after the first steps, at rates of at least the edge of the start.
pub(crate) const RATIO: &str = "λ_max η/2, mean";
pub(crate) const HIGHEST: &str = "λ_max η/2, highest";
/// λ_max of the last reading over that before the training.
pub(crate) const FALL: &str = "late λ_max over the first";
pub(crate) const PEAK: &str = "log10 of the highest loss over the first";

/// Of the peaks, seed by seed.
pub(crate) const LOWER_PEAK: &str = "no warmup − warmup of 100 steps, at 4 edges";

/// Seeds whose largest trainable rate is larger.
const SHARE: f64 = 0.8;
/// For the mean of λ_max η/2: training at an edge has about 1, and with the λ_max of the start it would go up to 4.
const AT_EDGE: [f64; 2] = [0.75, 1.25];
/// For its highest reading: half of what it would be with the λ_max of the start.
const SWINGS: f64 = 2.0;
/// For λ_max after warmup, in units of that before.
const FLATTER: f64 = 0.5;
/// The same over that of training at a rate of one edge, where λ_max falls without being forced to.
const FLATTER_THAN_LOW: f64 = 0.7;
/// Standard errors of a difference.
const CLEAR: f64 = 2.0;

/// The row of a rate.
pub(crate) fn at(method: &str, multiple: f64) -> String {
    match multiple == 1.0 {
        true => format!("{method}, at 1 edge"),
        false => format!("{method}, at {multiple} edges"),
    }
}

/// Warmup lowers λ_max while the rate rises, so that larger rates train; clipping does too.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let larger = |method: &str| {
        let what = format!("share of seeds with a larger trainable rate with {method}");
        Check::at_least(what, share_above(found.values(method, DOUBLINGS)), SHARE)
    };
    let mean = |method: &str, column: &str| {
        let row = at(method, COMPARED);
        mean_of_all(found.values(&row, column))
    };
    let at_edge = |method: &str| {
        let what = format!("mean of λ_max η/2 with {method}, at {COMPARED} edges");
        let [low, high] = AT_EDGE;
        Check::within(what, mean(method, RATIO), low, high)
    };
    let low = mean_of_all(found.values(&at(NONE, LOW), FALL));
    let fall = mean(SHORT, FALL);
    let peak = Estimate::of(found.values(LOWER_PEAK, PEAK));
    let error = peak.standard_error.unwrap_or(f64::NAN);
    Verdict::of(vec![
        larger(SHORT),
        larger(LONG),
        larger(CLIPPED).minor(),
        at_edge(SHORT),
        at_edge(LONG),
        Check::at_most(
            "highest λ_max η/2 after the first steps of the shorter warmup",
            mean(SHORT, HIGHEST),
            SWINGS,
        )
        .minor(),
        Check::at_most("λ_max after this warmup over that before", fall, FLATTER).minor(),
        Check::at_most(
            "the same over that of training at 1 edge",
            fall / low,
            FLATTER_THAN_LOW,
        ),
        Check::at_least(
            "how much lower its peak of the loss is, in standard errors",
            peak.value / error,
            CLEAR,
        )
        .minor(),
    ])
}

/// Of values that are above zero among all, those that were not reached included.
fn share_above(values: &[f64]) -> f64 {
    let above = values.iter().filter(|value| **value > 0.0);
    above.count() as f64 / values.len() as f64
}

/// Not a number if a run has diverged: a mean over the others would hide it.
fn mean_of_all(values: &[f64]) -> f64 {
    Estimate::of(values).value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// Made-up numbers of five seeds.
    #[derive(Clone, Copy)]
    struct Made {
        doublings: [f64; 5],
        ratio: f64,
        fall: f64,
        /// At one edge.
        low_fall: f64,
        lower_peak: f64,
    }

    const FLATTENED: Made = Made {
        doublings: [2.0, 1.0, 3.0, 2.0, 0.0],
        ratio: 0.95,
        fall: 0.25,
        low_fall: 0.85,
        lower_peak: 0.8,
    };

    fn measured(made: Made) -> Measured {
        let mut found = Measured::default();
        for method in [SHORT, LONG, CLIPPED] {
            found.extend(method, DOUBLINGS, made.doublings);
            for spread in [-0.02, -0.01, 0.0, 0.01, 0.02] {
                let row = at(method, COMPARED);
                found.push(row.as_str(), RATIO, made.ratio + spread);
                found.push(row.as_str(), HIGHEST, 1.3 * made.ratio + spread);
                found.push(row, FALL, made.fall + spread);
            }
        }
        for spread in [-0.05, -0.03, 0.0, 0.03, 0.05] {
            found.push(at(NONE, LOW), FALL, made.low_fall + spread);
        }
        let spread = [-0.3, -0.1, 0.0, 0.1, 0.3];
        found.extend(LOWER_PEAK, PEAK, spread.map(|it| made.lower_peak + it));
        found
    }

    #[test]
    fn warmup_that_flattens_passes() {
        let verdict = judge(&measured(FLATTENED));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
        assert_eq!(verdict.checks.len(), 9);
    }

    #[test]
    fn larger_rates_without_an_edge_are_a_part() {
        let verdict = judge(&measured(Made {
            ratio: 2.4,
            ..FLATTENED
        }));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
        assert_eq!(verdict.checks.iter().filter(|it| !it.holds).count(), 3);
        // The loss does not rise without warmup either.
        let verdict = judge(&measured(Made {
            lower_peak: 0.0,
            ..FLATTENED
        }));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
    }

    #[test]
    fn no_larger_rate_and_no_lower_curvature_fail() {
        let verdict = judge(&measured(Made {
            doublings: [1.0, 0.0, 0.0, -1.0, f64::NAN],
            ratio: 3.8,
            fall: 0.95,
            low_fall: 0.85,
            lower_peak: 0.8,
        }));
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
    }

    #[test]
    fn a_curvature_that_falls_by_itself_is_a_part() {
        // It is as low at one edge, and far below an edge at four.
        let verdict = judge(&measured(Made {
            ratio: 0.7,
            fall: 0.2,
            low_fall: 0.22,
            ..FLATTENED
        }));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
        let failed = verdict.checks.iter().filter(|it| !it.holds);
        assert_eq!(failed.count(), 3);
    }

    #[test]
    fn a_run_that_diverged_is_not_left_out() {
        let mut found = measured(FLATTENED);
        found.push(at(SHORT, COMPARED), RATIO, f64::NAN);
        let verdict = judge(&found);
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
        assert!(!verdict.checks[3].holds);
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }

    #[test]
    fn what_was_not_reached_is_not_larger() {
        assert_eq!(share_above(&[1.0, 0.0, f64::NAN, 2.0]), 0.5);
        assert!(share_above(&[]).is_nan() && mean_of_all(&[]).is_nan());
        assert!(mean_of_all(&[1.0, f64::NAN]).is_nan());
        assert_eq!(at(SHORT, 4.0), "warmup of 100 steps, at 4 edges");
        assert_eq!(at(NONE, 1.0), "no warmup, at 1 edge");
    }
}
