//! Layers one by one, and three at a time. Fixed after pilots with the seeds 2 to 4.

use crate::studies::frame::{Check, Measured, Verdict};

/// Layers with weights: six hidden ones and the last.
pub(crate) const LAYERS: usize = 7;
/// Neighboring layers that are averaged together.
pub(crate) const TOGETHER: usize = 3;

pub(crate) const ALL: &str = "all layers";

/// Of the network with one layer changed, less those of the network itself.
pub(crate) const RESET: &str = "rise, initial values";
pub(crate) const RESET_LOST: &str = "accuracy lost, initial values";
pub(crate) const FRESH: &str = "rise, fresh values";
pub(crate) const NOISE: &str = "rise, noise";
/// The loss with these layers in the middle between two networks, less the mean loss of both networks.
pub(crate) const AVERAGED: &str = "averaged";

/// The layers with the largest and the smallest rise, for each seed those of the other seeds.
pub(crate) const MOST: &str = "most sensitive layer";
pub(crate) const LEAST: &str = "least sensitive layer";
pub(crate) const APART: &str = "most − least sensitive";
/// Mean over layers of the rise by fresh values less that by initial ones.
pub(crate) const FRESH_INITIAL: &str = "fresh − initial values";
/// The largest rise by averaging one layer, over that by averaging all.
pub(crate) const WORST: &str = "worst layer / all layers";
/// The three layers in the middle less the first three, the last three, and the sum over them one by one.
pub(crate) const MIDDLE_FIRST: &str = "middle three − first three";
pub(crate) const MIDDLE_LAST: &str = "middle three − last three";
pub(crate) const MIDDLE_SINGLE: &str = "middle three − one by one";

/// The row of a layer.
pub(crate) fn layer(index: usize) -> String {
    format!("layer {}", index + 1)
}

/// The row of neighboring layers, from this one on.
pub(crate) fn together(first: usize) -> String {
    format!("layers {} to {}", first + 1, first + TOGETHER)
}

/// Test accuracy that a robust layer may lose by its initial values, and that a critical one loses.
const ROBUST: f64 = 0.02;
const CRITICAL: f64 = 0.3;
/// The largest share of the rise by averaging all layers that averaging one may have.
const SMALL: f64 = 0.25;
/// In standard errors.
const APART_BY: f64 = 3.0;
const CLEAR: f64 = 2.0;

/// Some layers bear a reset and others do not, no layer has a barrier of its own, and the middle layers have the
/// largest one together.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let errors =
        |row: &str, column: &str| found.mean(row, column) / found.standard_error(row, column);
    let [most, least] = [MOST, LEAST].map(|row| found.mean(row, RESET_LOST));
    Verdict::of(vec![
        Check::at_least(
            "most less least sensitive layer, rise by initial values, in standard errors",
            errors(APART, RESET),
            APART_BY,
        ),
        Check::at_most(
            "test accuracy that the least sensitive layer loses by its initial values",
            least,
            ROBUST,
        ),
        Check::at_least("that the most sensitive one loses", most, CRITICAL).minor(),
        Check::at_most(
            "rise by averaging one layer over that by averaging all, in the worst layer",
            found.mean(WORST, AVERAGED),
            SMALL,
        ),
        Check::at_least(
            "rise by averaging the middle three layers less the first, in standard errors",
            errors(MIDDLE_FIRST, AVERAGED),
            CLEAR,
        ),
        Check::at_least(
            "less the last three, in standard errors",
            errors(MIDDLE_LAST, AVERAGED),
            CLEAR,
        ),
        Check::at_least(
            "less the middle three one by one, in standard errors",
            errors(MIDDLE_SINGLE, AVERAGED),
            CLEAR,
        )
        .minor(),
        Check::at_least(
            "most less least sensitive layer, rise by noise, in standard errors",
            errors(APART, NOISE),
            APART_BY,
        )
        .minor(),
        Check::at_least(
            "rise by fresh values less initial ones, mean of layers, in standard errors",
            errors(FRESH_INITIAL, FRESH),
            CLEAR,
        )
        .minor(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// Five seeds around accuracies that are lost by the most and the least sensitive layer, the share of the worst
    /// layer, and how far the middle layers are above the first and the last three.
    fn measured(lost: [f64; 2], share: f64, middle: [f64; 2]) -> Measured {
        let mut found = Measured::default();
        for spread in [-2.0, -1.0, 0.0, 1.0, 2.0] {
            let near = |value: f64| value + 0.01 * spread;
            found.push(MOST, RESET_LOST, near(lost[0]));
            found.push(LEAST, RESET_LOST, near(lost[1]));
            found.push(APART, RESET, near(4.0 * (lost[0] - lost[1])));
            found.push(APART, NOISE, near(0.2));
            found.push(FRESH_INITIAL, FRESH, near(1.5));
            found.push(WORST, AVERAGED, near(share));
            found.push(MIDDLE_FIRST, AVERAGED, near(middle[0]));
            found.push(MIDDLE_LAST, AVERAGED, near(middle[1]));
            found.push(MIDDLE_SINGLE, AVERAGED, near(0.3));
        }
        found
    }

    #[test]
    fn what_the_papers_say_passes() {
        let verdict = judge(&measured([0.7, 0.005], 0.04, [0.4, 0.6]));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
    }

    #[test]
    fn one_part_that_fails_leaves_a_part() {
        for found in [
            measured([0.7, 0.1], 0.04, [0.4, 0.6]),
            measured([0.1, 0.005], 0.04, [0.4, 0.6]),
            measured([0.7, 0.005], 0.5, [0.4, 0.6]),
            measured([0.7, 0.005], 0.04, [-0.4, 0.6]),
            measured([0.7, 0.005], 0.04, [0.4, 0.0]),
        ] {
            let verdict = judge(&found);
            assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
            let failed = verdict.checks.iter().filter(|check| !check.holds);
            assert_eq!(failed.count(), 1, "{:?}", verdict.checks);
        }
    }

    #[test]
    fn equal_layers_that_all_count_fail() {
        // Noise and fresh values do what they should, which is not the claim.
        let verdict = judge(&measured([0.3, 0.3], 0.6, [0.0, -0.2]));
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().any(|check| check.holds));
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }

    #[test]
    fn rows_count_layers_from_one() {
        assert_eq!(layer(0), "layer 1");
        assert_eq!(together(4), "layers 5 to 7");
    }
}
