//! Lazy and rich training.

use crate::studies::frame::{Check, Measured, Verdict};

pub(crate) const WIDTHS: [usize; 4] = [32, 128, 512, 2048];
/// Scales of the outputs at a width of 128.
pub(crate) const SCALES: [f64; 4] = [0.25, 1.0, 4.0, 16.0];

/// What the last layer is divided by, for a width of m.
pub(crate) const ROOT: &str = "1/√m";
pub(crate) const MEAN_FIELD: &str = "1/m";

pub(crate) const DRIFT: &str = "drift";
/// Of the logarithm of the drift in that of the width.
pub(crate) const SLOPE: &str = "slope";

/// The row of a width.
pub(crate) fn of_width(divisor: &str, width: usize) -> String {
    format!("{divisor}, width {width}")
}

/// The row of a scale of the outputs.
pub(crate) fn of_scale(scale: f64) -> String {
    format!("1/√m, width 128, α {scale}")
}

/// With 1/√m the kernel moves less the wider the network is, and a large scale of the outputs keeps it still.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let [rich, lazy] = [SCALES[0], SCALES[3]].map(|scale| found.mean(&of_scale(scale), DRIFT));
    Verdict::of(vec![
        Check::within(
            "slope of the logarithm of the drift in that of the width, with 1/√m",
            found.mean(ROOT, SLOPE),
            -1.0,
            -0.5,
        ),
        Check::at_most("drift with α 16 over that with α 1/4", lazy / rich, 0.05),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    fn measured(slope: f64, drifts: [f64; 2]) -> Measured {
        let mut found = Measured::default();
        for spread in [0.95, 1.0, 1.05] {
            found.push(ROOT, SLOPE, slope * spread);
            for (scale, drift) in [SCALES[0], SCALES[3]].into_iter().zip(drifts) {
                found.push(of_scale(scale), DRIFT, drift * spread);
            }
        }
        found
    }

    #[test]
    fn drifts_that_fall_with_width_and_scale_pass() {
        let verdict = judge(&measured(-0.65, [1.19, 0.019]));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
    }

    #[test]
    fn a_kernel_that_moves_as_far_at_every_width_is_a_part() {
        let verdict = judge(&measured(-0.02, [1.19, 0.019]));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
    }

    #[test]
    fn a_kernel_that_nothing_keeps_still_fails() {
        for slope in [-0.02, -1.2] {
            let verdict = judge(&measured(slope, [1.19, 0.1]));
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
        assert_eq!(of_width(ROOT, 32), "1/√m, width 32");
        assert_eq!(of_scale(0.25), "1/√m, width 128, α 0.25");
        assert_eq!(of_scale(16.0), "1/√m, width 128, α 16");
    }
}
