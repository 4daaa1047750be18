//! The index of critical points, beside their loss.

use crate::studies::frame::{Check, Measured, Verdict};

/// A critical point of `½ |U V − diag(3, 2, 1)|²` with four hidden units: it keeps some of the singular values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Saddle {
    /// Which singular values, the largest first.
    pub(crate) kept: [bool; 3],
    pub(crate) row: &'static str,
    pub(crate) loss: f64,
    /// Negative eigenvalues of the Hessian.
    pub(crate) index: usize,
    /// Eigenvalues of zero.
    pub(crate) zeros: usize,
}

/// The singular values of the target.
pub(crate) const VALUES: [f64; 3] = [3.0, 2.0, 1.0];
pub(crate) const HIDDEN: usize = 4;

const fn saddle(
    kept: [bool; 3],
    row: &'static str,
    (loss, index, zeros): (f64, usize, usize),
) -> Saddle {
    Saddle {
        kept,
        row,
        loss,
        index,
        zeros,
    }
}

/// All of them. The loss is half the sum of the squares of the values that are missing. The index is the number of
/// missing values times that of the hidden units that are left, plus one for each pair of a value that is kept and a
/// larger one that is not.
pub(crate) const SADDLES: [Saddle; 8] = [
    saddle(
        [false, false, false],
        "linear network, nothing",
        (7.0, 12, 0),
    ),
    saddle([false, false, true], "linear network, 1", (6.5, 8, 7)),
    saddle([false, true, false], "linear network, 2", (5.0, 7, 7)),
    saddle([false, true, true], "linear network, 2 and 1", (4.5, 4, 12)),
    saddle([true, false, false], "linear network, 3", (2.5, 6, 7)),
    saddle([true, false, true], "linear network, 3 and 1", (2.0, 3, 12)),
    saddle([true, true, false], "linear network, 3 and 2", (0.5, 2, 12)),
    saddle([true, true, true], "linear network, all", (0.0, 0, 15)),
];

pub(crate) const NETWORK: &str = "tanh network";

pub(crate) const LOSS: &str = "loss";
pub(crate) const INDEX: &str = "index";
pub(crate) const ZEROS: &str = "zero eigenvalues";
/// Over distinct points.
pub(crate) const CORRELATION: &str = "rank correlation";
/// The ends of the central 95 % of resampled points.
pub(crate) const LOWER: &str = "lower bound";
pub(crate) const UPPER: &str = "upper bound";

/// Points of a higher index have a higher loss: no lower bound of the rank correlation is below zero.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let bounds = found.values(NETWORK, LOWER).iter().copied();
    // A bound that is missing decides.
    let lowest = bounds.reduce(|one, other| match one.is_nan() || one <= other {
        true => one,
        false => other,
    });
    let lowest = lowest.unwrap_or(f64::NAN);
    let is_exact = |saddle: &&Saddle| {
        let near = |column, exact: f64| (found.mean(saddle.row, column) - exact).abs() <= 1e-9;
        near(LOSS, saddle.loss)
            && near(INDEX, saddle.index as f64)
            && near(ZEROS, saddle.zeros as f64)
    };
    let exact = SADDLES.iter().filter(is_exact).count();
    Verdict::of(vec![
        Check::new(
            format!(
                "lower bound of the rank correlation of index and loss, least of all seeds: {lowest:.3}, above 0"
            ),
            lowest > 0.0,
        ),
        Check::at_least(
            "critical points of the linear network with the exact loss, index and zero eigenvalues",
            exact as f64,
            SADDLES.len() as f64,
        )
        .minor(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    fn measured(bounds: &[f64], index: f64) -> Measured {
        let mut found = Measured::default();
        for saddle in &SADDLES {
            found.push(saddle.row, LOSS, saddle.loss + 1e-15);
            found.push(saddle.row, INDEX, saddle.index as f64);
            found.push(saddle.row, ZEROS, saddle.zeros as f64);
        }
        // The mean of the first one is another.
        found.push(SADDLES[0].row, INDEX, index);
        found.extend(NETWORK, LOWER, bounds.iter().copied());
        found
    }

    #[test]
    fn the_table_of_saddles_follows_its_rules() {
        for saddle in &SADDLES {
            let missing: Vec<f64> = VALUES
                .into_iter()
                .zip(saddle.kept)
                .filter_map(|(value, is_kept)| (!is_kept).then_some(value))
                .collect();
            let kept = VALUES.into_iter().zip(saddle.kept);
            let kept: Vec<f64> = kept
                .filter_map(|(it, is_kept)| is_kept.then_some(it))
                .collect();
            let loss: f64 = missing.iter().map(|value| 0.5 * value * value).sum();
            assert_eq!(loss.abs(), saddle.loss);
            let larger = |own: &f64| missing.iter().filter(|other| *other > own).count();
            let exchanges: usize = kept.iter().map(larger).sum();
            let index = (HIDDEN - kept.len()) * missing.len() + exchanges;
            assert_eq!(index, saddle.index, "{}", saddle.row);
            let zeros = kept.len() * (VALUES.len() + HIDDEN + 1 - kept.len());
            assert_eq!(zeros, saddle.zeros, "{}", saddle.row);
        }
    }

    #[test]
    fn bounds_above_zero_and_exact_saddles_pass() {
        let verdict = judge(&measured(&[0.5, 0.3, 0.6], 12.0));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
    }

    #[test]
    fn another_index_leaves_a_part() {
        let verdict = judge(&measured(&[0.5, 0.3, 0.6], 11.0));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
    }

    #[test]
    fn a_bound_below_zero_or_without_a_number_fails() {
        for bounds in [[0.5, -0.1, 0.6], [0.5, f64::NAN, 0.6], [f64::NAN, 0.5, 0.6]] {
            let verdict = judge(&measured(&bounds, 12.0));
            assert_eq!(verdict.outcome, Outcome::NotReproduced);
        }
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }
}
