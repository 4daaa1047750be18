//! Whether networks that SAM has trained generalize better. Fixed after pilots with the seeds 2 to 4.

use crate::studies::frame::{Check, Measured, Verdict};

/// A perceptron, by SGD.
pub(crate) const MLP: &str = "MLP";
/// A vision transformer, by AdamW.
pub(crate) const VIT: &str = "ViT";
/// With the radius of SAM that decides: of those that are run, the one whose test loss had the lowest mean rank over the
/// sizes on pilot seeds, and the smaller of two.
pub(crate) const MODELS: [(&str, f64); 2] = [(MLP, 0.2), (VIT, 0.01)];
/// Digits to train on.
pub(crate) const SIZES: [usize; 3] = [100, 300, 1280];

/// SGD or AdamW alone, with as many steps.
pub(crate) const ONCE: &str = "base optimizer";
/// As many gradients as SAM.
pub(crate) const TWICE: &str = "base optimizer, twice the steps";

/// The name of SAM with a radius.
pub(crate) fn sam(radius: f64) -> String {
    format!("SAM {radius}")
}

/// The row of a way to train.
pub(crate) fn row(model: &str, size: usize, way: &str) -> String {
    format!("{model}, {size} digits, {way}")
}

/// The row of the differences between SAM with the radius that decides and another way, seed by seed.
pub(crate) fn pair(model: &str, size: usize, other: &str) -> String {
    format!("{model}, {size} digits: SAM against {other}")
}

/// Of pairs; more than zero if SAM is better.
pub(crate) const ACCURACY_GAIN: &str = "gain in test accuracy";
pub(crate) const LOSS_GAIN: &str = "gain in test loss";
/// Of pairs: λ_max with SAM over that without.
pub(crate) const RATIO: &str = "ratio of λ_max";

/// A difference is clear beyond so many of its standard errors.
pub(crate) const CLEAR: f64 = 2.0;

/// Sizes for which SAM is better than its base optimizer, of each model, at least.
const MOST: usize = 2;

/// A mean gain in its standard errors. Not a number if a seed is missing.
fn errors(found: &Measured, pair: &str, column: &str) -> f64 {
    let values = found.values(pair, column);
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    // Equal everywhere, perhaps.
    if mean == 0.0 {
        return 0.0;
    }
    mean / found.standard_error(pair, column)
}

/// Whether a gain of SAM is clear, in accuracy or loss, and none of both is a clear loss.
pub(crate) fn is_better(found: &Measured, pair: &str) -> bool {
    let gains = [ACCURACY_GAIN, LOSS_GAIN].map(|column| errors(found, pair, column));
    gains.iter().any(|gain| *gain >= CLEAR) && gains.iter().all(|gain| *gain > -CLEAR)
}

/// All models with all sizes.
pub(crate) fn settings() -> impl Iterator<Item = (&'static str, usize)> {
    let models = MODELS.into_iter();
    models.flat_map(|(model, _)| SIZES.map(|size| (model, size)))
}

/// SAM is clearly better than its base optimizer with as many gradients for most sizes of each model, and clearly
/// worse for none; it is also better than as many steps.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let better = |model: &str, other: &str| {
        let pairs = SIZES.iter().map(|&size| pair(model, size, other));
        pairs.filter(|pair| is_better(found, pair)).count()
    };
    let most = MODELS.map(|(model, _)| {
        Check::at_least(
            format!(
                "{model}: sizes of {} for which SAM is clearly better than its {TWICE}",
                SIZES.len()
            ),
            better(model, TWICE) as f64,
            MOST as f64,
        )
    });
    let gains = settings().flat_map(|(model, size)| {
        let pair = pair(model, size, TWICE);
        [ACCURACY_GAIN, LOSS_GAIN].map(|column| errors(found, &pair, column))
    });
    let gains: Vec<f64> = gains.collect();
    let worst = match gains.iter().any(|gain| gain.is_nan()) {
        true => f64::NAN,
        false => gains.iter().copied().fold(f64::INFINITY, f64::min),
    };
    let same_steps: usize = MODELS.iter().map(|(model, _)| better(model, ONCE)).sum();
    let others = [
        Check::at_least(
            "the least of all gains over as many gradients, in standard errors",
            worst,
            -CLEAR,
        ),
        Check::at_least(
            "models and sizes for which SAM is better than as many steps of its base optimizer",
            same_steps as f64,
            (MOST * MODELS.len()) as f64,
        ),
    ];
    Verdict::of(most.into_iter().chain(others.map(Check::minor)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// Mean gains in accuracy and loss, each with a standard error of about 0.0007.
    fn measured(gains: impl Fn(&str, usize) -> (f64, f64)) -> Measured {
        let mut found = Measured::default();
        for (model, size) in settings() {
            let (accuracy, loss) = gains(model, size);
            for other in [ONCE, TWICE] {
                let row = pair(model, size, other);
                for spread in [-0.002, -0.001, 0.0, 0.001, 0.002] {
                    found.push(row.as_str(), ACCURACY_GAIN, accuracy + spread);
                    found.push(row.as_str(), LOSS_GAIN, loss - spread);
                }
            }
        }
        found
    }

    #[test]
    fn clear_gains_everywhere_pass() {
        // In accuracy or in loss.
        let gains = |model: &str, _| match model {
            MLP => (0.0, 0.05),
            _ => (0.01, 0.0),
        };
        let verdict = judge(&measured(gains));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
        assert_eq!(verdict.checks.len(), 4);
    }

    #[test]
    fn a_gain_with_one_size_is_not_enough() {
        let gains = |_: &str, size| match size {
            100 => (0.01, 0.05),
            _ => (0.001, 0.0),
        };
        let verdict = judge(&measured(gains));
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
    }

    #[test]
    fn a_gain_with_two_sizes_is_a_part_if_there_is_a_clear_loss() {
        for (loss, outcome) in [
            (0.0, Outcome::Reproduced),
            (-0.05, Outcome::PartlyReproduced),
        ] {
            let gains = |_: &str, size| match size {
                100 => (0.0, loss),
                _ => (0.01, 0.05),
            };
            let verdict = judge(&measured(gains));
            assert_eq!(verdict.outcome, outcome, "{:?}", verdict.checks);
        }
    }

    #[test]
    fn a_gain_of_one_model_is_a_part() {
        let gains = |model: &str, _| match model {
            MLP => (0.01, 0.05),
            _ => (0.0, 0.0),
        };
        let verdict = judge(&measured(gains));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
    }

    #[test]
    fn a_missing_seed_is_no_gain() {
        let mut found = measured(|_, _| (0.01, 0.05));
        for (model, _) in MODELS {
            for size in &SIZES[..2] {
                found.push(pair(model, *size, TWICE), LOSS_GAIN, f64::NAN);
            }
        }
        assert_eq!(judge(&found).outcome, Outcome::NotReproduced);
    }

    #[test]
    fn what_is_gained_in_loss_and_lost_in_accuracy_is_no_gain() {
        for gains in [(-0.01, 0.05), (0.0, 0.0), (0.001, 0.001), (-0.01, -0.05)] {
            let verdict = judge(&measured(|_, _| gains));
            assert_eq!(verdict.outcome, Outcome::NotReproduced);
        }
    }

    #[test]
    fn better_than_as_many_steps_is_not_enough() {
        let mut found = Measured::default();
        for (model, size) in settings() {
            for (other, gain) in [(ONCE, 0.01), (TWICE, 0.0)] {
                let row = pair(model, size, other);
                found.extend(&row, ACCURACY_GAIN, [gain - 0.001, gain + 0.001]);
                found.extend(&row, LOSS_GAIN, [gain - 0.001, gain + 0.001]);
            }
        }
        let verdict = judge(&found);
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks[3].holds);
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }

    #[test]
    fn rows_have_their_names() {
        assert_eq!(row(VIT, 300, &sam(0.05)), "ViT, 300 digits, SAM 0.05");
        let pair = pair(MLP, 100, TWICE);
        assert_eq!(
            pair,
            "MLP, 100 digits: SAM against base optimizer, twice the steps"
        );
    }
}
