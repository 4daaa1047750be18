//! Barriers between networks, against their width and depth.

use crate::studies::frame::{Check, Measured, Verdict};

/// Units of the hidden layers of each network.
pub(crate) const HIDDEN: [&[usize]; 8] = [
    &[8],
    &[32],
    &[128],
    &[512],
    &[32, 32],
    &[128, 128],
    &[128, 128, 128],
    &[128, 128, 128, 128],
];

pub(crate) const NAIVE: &str = "naive";
pub(crate) const WEIGHTS: &str = "weight matching";
pub(crate) const ACTIVATIONS: &str = "activation matching";
pub(crate) const RANDOM: &str = "random permutation";
pub(crate) const CURVE: &str = "fitted curve";
pub(crate) const NAIVE_REPAIRED: &str = "naive, repaired";
pub(crate) const WEIGHTS_REPAIRED: &str = "weight matching, repaired";

/// The row of a network.
pub(crate) fn row(hidden: &[usize]) -> String {
    let widths: Vec<String> = hidden.iter().map(usize::to_string).collect();
    format!("64-{}-10", widths.join("-"))
}

/// By how much weight matching divides a barrier at least.
const DIVIDED: f64 = 5.0;
/// By how much barriers fall from 8 units to 128 at least.
const FALLEN: f64 = 3.0;

/// Weight matching divides the barrier of every network, and barriers fall from the narrowest to a wide one.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let divided = HIDDEN.iter().map(|hidden| {
        let row = row(hidden);
        let ratio = found.mean(&row, NAIVE) / found.mean(&row, WEIGHTS);
        let what = format!("{row}: naive barrier over that after weight matching");
        Check::at_least(what, ratio, DIVIDED)
    });
    let fallen = [NAIVE, WEIGHTS].map(|column| {
        let [narrow, wide] = [8, 128].map(|width| found.mean(&row(&[width]), column));
        let what = format!("{column}: barrier at 8 units over that at 128");
        Check::at_least(what, narrow / wide, FALLEN)
    });
    Verdict::of(divided.chain(fallen).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// Naive and matched barriers, in the order of the networks.
    const BARRIERS: [(f64, f64); 8] = [
        (0.798, 0.0944),
        (0.231, 0.0292),
        (0.168, 0.0158),
        (0.14, 0.0189),
        (0.874, 0.0994),
        (0.463, 0.0332),
        (0.7, 0.06),
        (0.9, 0.08),
    ];

    fn measured(barriers: &[(f64, f64); 8]) -> Measured {
        let mut found = Measured::default();
        for (hidden, (naive, matched)) in HIDDEN.iter().zip(barriers) {
            for share in [0.9, 1.1] {
                found.push(row(hidden), NAIVE, share * naive);
                found.push(row(hidden), WEIGHTS, share * matched);
            }
        }
        found
    }

    #[test]
    fn rows_are_the_sizes_of_layers() {
        assert_eq!(row(&[32, 32]), "64-32-32-10");
    }

    #[test]
    fn barriers_that_are_divided_and_fall_pass() {
        let verdict = judge(&measured(&BARRIERS));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
        assert_eq!(verdict.checks.len(), 10);
    }

    #[test]
    fn one_network_that_does_not_match_fails() {
        let mut barriers = BARRIERS;
        barriers[7] = (0.9, 0.3);
        let verdict = judge(&measured(&barriers));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
        let failed = verdict.checks.iter().filter(|check| !check.holds);
        assert_eq!(failed.count(), 1);
    }

    #[test]
    fn barriers_of_one_height_fail() {
        let verdict = judge(&measured(&[(0.2, 0.2); 8]));
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        let verdict = judge(&measured(&[(0.2, 0.02); 8]));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
    }
}
