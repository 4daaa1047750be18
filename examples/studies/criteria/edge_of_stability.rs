//! Training at the edges of stability.

use crate::studies::frame::{Check, Measured, Verdict};

pub(crate) const FLOW: &str = "gradient flow, over the edge of 0.3";
pub(crate) const DESCENT: &str = "gradient descent, 0.3";
pub(crate) const NESTEROV: &str = "Nesterov, 0.2";
pub(crate) const HEAVY_BALL: &str = "heavy ball, 0.6";
pub(crate) const ADAM: &str = "Adam, 0.001";
pub(crate) const SAM: &str = "SAM, 0.1";

pub(crate) const START: &str = "ratio at the start";
pub(crate) const CROSSING: &str = "step of 0.97";
pub(crate) const PEAK: &str = "highest ratio";
pub(crate) const TAIL: &str = "ratio in the tail";
pub(crate) const FALL: &str = "late loss in the tail";

/// Where the mean ratio of λ_max and edge is over the last third, of optimizers whose rates are high enough.
const BANDS: [(&str, f64, f64); 5] = [
    (DESCENT, 0.98, 1.03),
    (NESTEROV, 0.98, 1.03),
    (HEAVY_BALL, 0.95, 1.05),
    (ADAM, 0.9, 1.1),
    (SAM, 0.9, 1.15),
];

/// The flow knows no edge: it comes to so many times that of gradient descent.
const BEYOND: f64 = 1.2;

/// Each optimizer is at its own edge in the last third, where its loss falls, and the flow passes the edge.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let bands = BANDS.iter().map(|&(row, low, high)| {
        let what = format!("mean ratio in the tail of {row}");
        Check::within(what, mean_of_all(found, row, TAIL), low, high)
    });
    let losses = BANDS.iter().map(|&(row, ..)| {
        let what = format!("late over early loss in the tail of {row}");
        Check::at_most(what, mean_of_all(found, row, FALL), 1.0).minor()
    });
    let peak = mean_of_all(found, FLOW, PEAK);
    let flow = Check::at_least("highest ratio of the gradient flow", peak, BEYOND).minor();
    Verdict::of(bands.chain([flow]).chain(losses).collect())
}

/// Not a number if a run has diverged: a mean over the others would hide it.
fn mean_of_all(found: &Measured, row: &str, column: &str) -> f64 {
    let values = found.values(row, column);
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// All optimizers with the same ratio and fall of the loss.
    fn measured(ratio: f64, fall: f64, flow: f64) -> Measured {
        let mut found = Measured::default();
        for shift in [-0.002, 0.0, 0.002] {
            for (row, ..) in BANDS {
                found.push(row, TAIL, ratio + shift);
                found.push(row, FALL, fall);
            }
            found.push(FLOW, PEAK, flow);
        }
        found
    }

    #[test]
    fn optimizers_at_their_edges_pass() {
        let verdict = judge(&measured(1.004, 0.7, 1.4));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
        assert_eq!(verdict.checks.len(), 11);
    }

    #[test]
    fn optimizers_below_their_edges_fail() {
        let verdict = judge(&measured(0.81, 0.7, 1.4));
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        // Low for all but two.
        let verdict = judge(&measured(0.93, 0.7, 1.4));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
    }

    #[test]
    fn a_rising_loss_and_a_flow_that_stays_below_are_noticed() {
        for found in [measured(1.0, 1.2, 1.4), measured(1.0, 0.7, 1.1)] {
            assert_eq!(judge(&found).outcome, Outcome::PartlyReproduced);
        }
    }

    #[test]
    fn a_run_that_diverged_is_not_left_out() {
        let mut found = measured(1.0, 0.7, 1.4);
        found.push(DESCENT, TAIL, f64::NAN);
        let verdict = judge(&found);
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
        assert!(!verdict.checks[0].holds);
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }
}
