//! Double descent: the error peaks where a model just interpolates.

use crate::studies::frame::{Check, Measured, Verdict};

/// Examples of the least squares whose mean risk is known.
pub(crate) const EXAMPLES: usize = 40;
/// Coordinates of their inputs. The true coefficients are equal, and their vector has length 1.
pub(crate) const COORDINATES: usize = 100;
/// The standard deviation of the noise of their targets.
pub(crate) const NOISE: f64 = 0.5;
/// Coordinates that a fit uses. Nearer to the number of examples, a mean risk says little: its draws have no variance.
pub(crate) const KNOWN: [usize; 9] = [5, 20, 30, 37, 43, 50, 60, 80, 100];

/// Random features for each example.
pub(crate) const RATIOS: [f64; 12] = [
    0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 4.0, 10.0,
];

/// Units of the hidden layer.
pub(crate) const WIDTHS: [usize; 13] = [1, 2, 3, 4, 5, 6, 8, 10, 14, 20, 32, 64, 128];
/// Here a network has about as many parameters as there are numbers to fit.
pub(crate) const PEAK: usize = 64;
/// The widths beside it.
pub(crate) const NEIGHBORS: [usize; 2] = [32, 128];

pub(crate) const FEATURES: &str = "random features";
pub(crate) const SQUARED: &str = "squared loss";
pub(crate) const CROSS_ENTROPY: &str = "cross-entropy";

pub(crate) const RISK: &str = "mean risk";
pub(crate) const LAW: &str = "exact risk";
pub(crate) const PLACE: &str = "p/n of the peak";
pub(crate) const TEST_LOSS: &str = "test loss";
pub(crate) const TEST_ERROR: &str = "test error";
pub(crate) const LAMBDA: &str = "λ_max";

/// The row of a fit on some coordinates.
pub(crate) fn of_coordinates(used: usize) -> String {
    format!("least squares, p = {used}")
}

/// The row of a fit on random features.
pub(crate) fn of_features(ratio: f64) -> String {
    format!("{FEATURES}, p/n = {ratio}")
}

/// The row of a network.
pub(crate) fn of_width(loss: &str, width: usize) -> String {
    format!("{loss}, width {width}")
}

/// The row of the differences, seed by seed, between the width of the peak and another.
pub(crate) fn of_difference(width: usize) -> String {
    format!("{SQUARED}, width {PEAK} minus width {width}")
}

/// The mean risk of the least squares, or of those of least norm, on so many of the coordinates.
pub(crate) fn law(used: usize) -> f64 {
    let [n, p] = [EXAMPLES, used].map(|count| count as f64);
    let share = p / COORDINATES as f64;
    let noise = 1.0 - share + NOISE * NOISE;
    if used + 2 <= EXAMPLES {
        noise * (1.0 + p / (n - p - 1.0))
    } else if used >= EXAMPLES + 2 {
        share * (1.0 - n / p) + noise * (1.0 + n / (p - n - 1.0))
    } else {
        f64::INFINITY
    }
}

/// The test loss of random features peaks at as many features as examples, and the test error of networks with the squared
/// loss at as many parameters as numbers to fit.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let places = found.values(FEATURES, PLACE);
    let at_one = places.iter().filter(|&&place| place == 1.0).count();
    let share = at_one as f64 / places.len() as f64;
    let mut checks = vec![Check::at_least(
        "share of draws whose test loss is largest with as many random features as examples",
        share,
        0.9,
    )];
    for width in NEIGHBORS {
        let row = of_difference(width);
        let error = found.standard_error(&row, TEST_ERROR);
        checks.push(Check::at_least(
            format!(
                "test error with the squared loss at width {PEAK} minus that at width {width}, in standard errors"
            ),
            found.mean(&row, TEST_ERROR) / error,
            2.0,
        ));
    }
    for used in KNOWN {
        let row = of_coordinates(used);
        let (mean, error) = (found.mean(&row, RISK), found.standard_error(&row, RISK));
        let what = format!("mean risk of least squares on {used} coordinates");
        checks.push(Check::agrees(what, mean, error, law(used)).minor());
    }
    Verdict::of(checks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// Peaks of random features, differences of errors to the narrower and to the wider network, and how far risks are
    /// from their law.
    fn measured(places: &[f64], differences: [[f64; 3]; 2], factor: f64) -> Measured {
        let mut found = Measured::default();
        found.extend(FEATURES, PLACE, places.iter().copied());
        for (width, values) in NEIGHBORS.into_iter().zip(differences) {
            found.extend(&of_difference(width), TEST_ERROR, values);
        }
        for used in KNOWN {
            let risk = factor * law(used);
            found.extend(&of_coordinates(used), RISK, [0.98 * risk, 1.02 * risk]);
        }
        found
    }

    const PEAKS: [f64; 10] = [1.0, 1.0, 1.0, 1.1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];
    const HIGHER: [f64; 3] = [0.03, 0.05, 0.04];
    const UNCLEAR: [f64; 3] = [-0.03, 0.05, 0.02];

    #[test]
    fn the_law_has_its_numbers() {
        for (used, risk) in [
            (5, 1.3765),
            (20, 2.1553),
            (30, 4.1167),
            (37, 17.16),
            (43, 17.25),
            (50, 4.1833),
            (60, 2.2184),
            (80, 1.3115),
            (100, 1.0195),
        ] {
            assert!((law(used) / risk - 1.0).abs() < 1e-4, "{used}");
        }
        assert_eq!([39, 40, 41].map(law), [f64::INFINITY; 3]);
    }

    #[test]
    fn rows_have_the_names_of_the_references() {
        assert_eq!(of_features(0.25), "random features, p/n = 0.25");
        assert_eq!(of_features(1.0), "random features, p/n = 1");
        assert_eq!(of_width(SQUARED, 64), "squared loss, width 64");
    }

    #[test]
    fn peaks_at_their_places_pass() {
        let verdict = judge(&measured(&PEAKS, [HIGHER, HIGHER], 1.0));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
    }

    #[test]
    fn a_peak_elsewhere_fails() {
        let mut places = PEAKS;
        places[0] = 0.9;
        let others = measured(&places, [HIGHER, HIGHER], 1.0);
        let unclear = measured(&PEAKS, [HIGHER, UNCLEAR], 1.0);
        let lower = measured(&PEAKS, [HIGHER.map(|it| -it), HIGHER], 1.0);
        for found in [others, unclear, lower, measured(&PEAKS, [HIGHER; 2], 1.2)] {
            assert_eq!(judge(&found).outcome, Outcome::PartlyReproduced);
        }
        let none = measured(&places, [UNCLEAR, UNCLEAR], 1.0);
        assert_eq!(judge(&none).outcome, Outcome::NotReproduced);
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }
}
