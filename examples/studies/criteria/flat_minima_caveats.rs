//! What the sharpness of a minimum says about its function, and what it does not. Fixed after pilots with the seeds 2 to 4.

use crate::studies::frame::{Check, Measured, Verdict};

/// What the first layer is multiplied by, and the last one divided by; in rising order.
pub(crate) const FACTORS: [f64; 3] = [3.0, 10.0, 30.0];
/// The network as it was trained.
pub(crate) const TRAINED: &str = "trained";
/// The network with a random factor for each hidden unit.
pub(crate) const BY_UNIT: &str = "a of each unit";

/// In the units of the weights.
pub(crate) const LAMBDA: &str = "λ_max";
pub(crate) const TRACE: &str = "trace";
pub(crate) const AVERAGE: &str = "average rise";
pub(crate) const WORST: &str = "worst rise";
pub(crate) const KESKAR: &str = "Keskar's measure";
/// Relative to the weights.
pub(crate) const ELEMENT_LAMBDA: &str = "λ_max by element";
pub(crate) const ELEMENT_TRACE: &str = "trace by element";
pub(crate) const ELEMENT_WORST: &str = "worst rise by element";
pub(crate) const FILTER_LAMBDA: &str = "λ_max by filter";
pub(crate) const FILTER_AVERAGE: &str = "average rise by filter";
pub(crate) const FISHER_RAO: &str = "Fisher-Rao norm";
pub(crate) const FLATNESS: [&str; 2] = ["relative flatness, first", "relative flatness, last"];
/// At the point of the orbit with the smallest weights.
pub(crate) const CANONICAL: &str = "λ_max in canonical form";
/// The largest change of an output, over the largest output.
pub(crate) const OUTPUTS: &str = "change of the outputs";

/// What a factor for a layer does not change.
const INVARIANT: [&str; 8] = [
    ELEMENT_LAMBDA,
    ELEMENT_TRACE,
    ELEMENT_WORST,
    FILTER_LAMBDA,
    FILTER_AVERAGE,
    FISHER_RAO,
    FLATNESS[0],
    FLATNESS[1],
];
/// What factors for units do not change either, and what they do.
const INVARIANT_BY_UNIT: [&str; 3] = [ELEMENT_LAMBDA, ELEMENT_TRACE, FISHER_RAO];
const CHANGED_BY_UNIT: [&str; 2] = [FILTER_LAMBDA, FLATNESS[1]];

/// The row of a factor.
pub(crate) fn of_factor(factor: f64) -> String {
    format!("a = {factor}")
}

/// Convex losses: one on which the flat minimum is worse, and one on which it is better.
pub(crate) const UNSEEN: &str = "unseen";
pub(crate) const MARGIN: &str = "margin";

/// Minima that are known, and where optimizers end.
pub(crate) const FLAT: &str = "flat minimum";
pub(crate) const SHARP: &str = "sharp minimum";
pub(crate) const DESCENT: &str = "gradient descent";
pub(crate) const SAM: &str = "SAM";
pub(crate) const ROBUST: &str = "SA-GD";

/// The largest rise of the loss in a ball, over half the square of its radius.
pub(crate) const RISE: &str = "rise over ½ρ²";
/// The expected loss on a new sample.
pub(crate) const RISK: &str = "population risk";
/// That over `|w|²`: at most ½.
pub(crate) const SHARE: &str = "risk over |w|²";
/// That over the one from where optimizers start.
pub(crate) const AGAINST: &str = "risk over that of the start";

/// The row of a point on a convex loss.
pub(crate) fn of_point(problem: &str, point: &str) -> String {
    format!("{problem}: {point}")
}

/// The row of the difference between SA-GD and gradient descent on a convex loss.
pub(crate) fn of_difference(problem: &str) -> String {
    format!("{problem}: {ROBUST} − {DESCENT}")
}

/// Outputs and invariant measures differ by less.
const ROUNDING: f64 = 1e-9;
const INVARIANCE: f64 = 1e-5;
/// At the largest factor, λ_max and the trace are larger by this factor at least.
const GROWN: f64 = 10.0;
/// From a = 10 to a = 30 they grow by 9 in the limit.
const STILL_GROWING: f64 = 3.0;
/// The worst rise at the largest factor, over that of the trained network.
const WORST_GROWN: f64 = 2.0;
/// Factors for units change the other measures by this share at least.
const CHANGED: f64 = 0.01;
/// The population risk of a bad minimum over `|w|²`: ¼ is that of a point that no sample has seen.
const BAD: f64 = 0.15;
/// The population risk at the end of SA-GD over that of its start: it has learned less than nothing.
const BAD_END: f64 = 1.0;
/// The rise around the end of SA-GD, over ½ρ², and that around a sharp one.
const FLATTER: f64 = 0.1;
const SHARPER: f64 = 0.5;
/// The population risk of SA-GD over that of gradient descent, where it is better.
const GOOD_END: f64 = 0.5;
/// Standard errors.
const CLEAR: f64 = 3.0;

/// Rescaling changes λ_max, trace and worst rise by any factor, and neither the function nor relative measures; and of
/// convex losses one has a flat minimum that is bad, and the other one that is good.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let mut checks = rescaled(found);
    checks.extend(by_unit(found));
    checks.extend(worse(found));
    checks.extend(better(found));
    Verdict::of(checks)
}

fn rescaled(found: &Measured) -> Vec<Check> {
    let rows = FACTORS.map(of_factor);
    let all = |column| rows.iter().map(move |row| found.values(row, column));
    let last = rows[2].as_str();
    let mut checks = vec![Check::at_most(
        "largest relative change of an output by a factor",
        largest(all(OUTPUTS)),
        ROUNDING,
    )];
    for (column, bound) in [(LAMBDA, GROWN), (TRACE, GROWN), (WORST, WORST_GROWN)] {
        let what = format!("{column} at a = 30 over that of the trained network, in every seed");
        let ratio = smallest([found.values(last, column)]);
        checks.push(Check::at_least(what, ratio, bound));
    }
    checks.push(
        Check::at_least(
            "λ_max at a = 30 over that at a = 10",
            found.mean(last, LAMBDA) / found.mean(&rows[1], LAMBDA),
            STILL_GROWING,
        )
        .minor(),
    );
    checks.extend(INVARIANT.map(|column| {
        let what = format!("{column}: largest change by a factor");
        Check::at_most(what, deviation(all(column)), INVARIANCE)
    }));
    let canonical = deviation([found.values(last, CANONICAL)]);
    let what = "λ_max in canonical form: change by a = 30";
    checks.push(Check::at_most(what, canonical, INVARIANCE).minor());
    checks
}

fn by_unit(found: &Measured) -> Vec<Check> {
    let own = |column| [found.values(BY_UNIT, column)];
    let outputs = "largest relative change of an output by factors of units";
    let mut checks = vec![Check::at_most(outputs, largest(own(OUTPUTS)), ROUNDING).minor()];
    checks.extend(INVARIANT_BY_UNIT.map(|column| {
        let what = format!("{column}: largest change by factors of units");
        Check::at_most(what, deviation(own(column)), INVARIANCE).minor()
    }));
    checks.extend(CHANGED_BY_UNIT.map(|column| {
        let changes = found.values(BY_UNIT, column).iter();
        let changes: Vec<f64> = changes.map(|ratio| (ratio - 1.0).abs()).collect();
        let what = format!("{column}: change by factors of units, in every seed");
        Check::at_least(what, smallest([changes.as_slice()]), CHANGED).minor()
    }));
    checks
}

/// The convex loss on which flat minima are worse.
fn worse(found: &Measured) -> Vec<Check> {
    let mean = |point, column| found.mean(&of_point(UNSEEN, point), column);
    vec![
        Check::within(
            "unseen: rise around the sharp minimum over ½ρ²",
            mean(SHARP, RISE),
            0.99,
            1.001,
        ),
        Check::at_most(
            "unseen: rise around the flat minimum over ½ρ²",
            mean(FLAT, RISE),
            ROUNDING,
        ),
        Check::at_most(
            "unseen: population risk of the sharp minimum",
            mean(SHARP, RISK),
            ROUNDING,
        ),
        Check::at_least(
            "unseen: population risk of the flat minimum over |w|²",
            mean(FLAT, SHARE),
            BAD,
        ),
        Check::at_least(
            "unseen: population risk of SA-GD less that of gradient descent, in standard errors",
            in_errors(found, UNSEEN),
            CLEAR,
        ),
        Check::at_least(
            "unseen: population risk of SA-GD over that of its start",
            mean(ROBUST, AGAINST),
            BAD_END,
        ),
        Check::at_most(
            "unseen: rise around the end of SA-GD over ½ρ²",
            mean(ROBUST, RISE),
            FLATTER,
        ),
        Check::at_most(
            "unseen: population risk of gradient descent",
            mean(DESCENT, RISK),
            ROUNDING,
        )
        .minor(),
        Check::at_least(
            "unseen: rise around the end of SAM over ½ρ²",
            mean(SAM, RISE),
            SHARPER,
        )
        .minor(),
    ]
}

/// The convex loss on which they are better.
fn better(found: &Measured) -> Vec<Check> {
    let mean = |point, column| found.mean(&of_point(MARGIN, point), column);
    vec![
        Check::at_least(
            "margin: rise around the sharp minimum less that around the flat one, over ½ρ²",
            mean(SHARP, RISE) - mean(FLAT, RISE),
            0.1,
        ),
        Check::at_most(
            "margin: population risk of the flat minimum over that of the sharp one",
            mean(FLAT, RISK) / mean(SHARP, RISK),
            ROUNDING,
        ),
        Check::at_most(
            "margin: population risk of SA-GD less that of gradient descent, in standard errors",
            in_errors(found, MARGIN),
            -CLEAR,
        ),
        Check::at_most(
            "margin: population risk of SA-GD over that of gradient descent",
            mean(ROBUST, RISK) / mean(DESCENT, RISK),
            GOOD_END,
        )
        .minor(),
        Check::at_most(
            "margin: rise around the end of SA-GD over ½ρ²",
            mean(ROBUST, RISE),
            FLATTER,
        )
        .minor(),
    ]
}

/// The mean difference of the population risks over its standard error.
fn in_errors(found: &Measured, problem: &str) -> f64 {
    let row = of_difference(problem);
    found.mean(&row, RISK) / found.standard_error(&row, RISK)
}

/// The largest value of some cells; not a number if one is missing.
fn largest<'v>(cells: impl IntoIterator<Item = &'v [f64]>) -> f64 {
    let (mut most, mut count) = (f64::NEG_INFINITY, 0);
    for cell in cells {
        if cell.is_empty() || cell.iter().any(|value| value.is_nan()) {
            return f64::NAN;
        }
        most = cell.iter().copied().fold(most, f64::max);
        count += 1;
    }
    if count == 0 { f64::NAN } else { most }
}

/// The smallest value of some cells; not a number if one is missing.
fn smallest<'v>(cells: impl IntoIterator<Item = &'v [f64]>) -> f64 {
    let opposite = |cell: &[f64]| -> Vec<f64> { cell.iter().map(|value| -value).collect() };
    let cells: Vec<Vec<f64>> = cells.into_iter().map(opposite).collect();
    -largest(cells.iter().map(Vec::as_slice))
}

/// The largest distance of a ratio from one.
fn deviation<'v>(cells: impl IntoIterator<Item = &'v [f64]>) -> f64 {
    let distances = |cell: &[f64]| -> Vec<f64> {
        let ratios = cell.iter();
        ratios.map(|ratio| (ratio - 1.0).abs()).collect()
    };
    let cells: Vec<Vec<f64>> = cells.into_iter().map(distances).collect();
    largest(cells.iter().map(Vec::as_slice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// By how much factors and optimizers change what they change.
    struct Changes {
        /// λ_max at the largest factor, and measures that should stay.
        lambda: f64,
        invariant: f64,
        /// Outputs.
        outputs: f64,
        /// The population risk of SA-GD over that of its start, on the loss whose flat minima are bad.
        against: f64,
        /// Its difference to that of gradient descent, on both losses.
        differences: [f64; 2],
    }

    const CLAIMED: Changes = Changes {
        lambda: 500.0,
        invariant: 1.0 + 1e-8,
        outputs: 1e-15,
        against: 5.0,
        differences: [0.2, -0.1],
    };

    fn measured(changes: &Changes) -> Measured {
        let mut found = Measured::default();
        for spread in [0.9, 1.0, 1.1] {
            for factor in FACTORS {
                let (row, grown) = (of_factor(factor), (factor / FACTORS[2]).powi(2));
                for column in [LAMBDA, TRACE, WORST] {
                    let value = 1.0 + spread * (changes.lambda - 1.0) * grown;
                    found.push(row.as_str(), column, value);
                }
                for column in INVARIANT {
                    found.push(row.as_str(), column, changes.invariant);
                }
                found.push(row.as_str(), OUTPUTS, changes.outputs);
            }
            found.push(of_factor(FACTORS[2]), CANONICAL, 1.0);
            found.push(BY_UNIT, OUTPUTS, 1e-15);
            for column in INVARIANT_BY_UNIT {
                found.push(BY_UNIT, column, 1.0);
            }
            for column in CHANGED_BY_UNIT {
                found.push(BY_UNIT, column, 1.0 + 0.3 * spread);
            }
            convex(changes, spread, &mut found);
        }
        found
    }

    fn convex(changes: &Changes, spread: f64, found: &mut Measured) {
        let cells = [
            (UNSEEN, SHARP, RISE, 1.0),
            (UNSEEN, FLAT, RISE, 0.0),
            (UNSEEN, SHARP, RISK, 0.0),
            (UNSEEN, FLAT, SHARE, 0.22),
            (UNSEEN, ROBUST, AGAINST, changes.against),
            (UNSEEN, ROBUST, RISE, 0.01),
            (UNSEEN, DESCENT, RISK, 0.0),
            (UNSEEN, SAM, RISE, 0.9),
            (MARGIN, SHARP, RISE, 0.3),
            (MARGIN, FLAT, RISE, 0.0),
            (MARGIN, SHARP, RISK, 0.19 * spread),
            (MARGIN, FLAT, RISK, 0.0),
            (MARGIN, ROBUST, RISK, 0.15 + changes.differences[1]),
            (MARGIN, DESCENT, RISK, 0.15),
            (MARGIN, ROBUST, RISE, 0.01),
        ];
        for (problem, point, column, value) in cells {
            found.push(of_point(problem, point), column, value);
        }
        for (problem, difference) in [UNSEEN, MARGIN].into_iter().zip(changes.differences) {
            found.push(
                of_difference(problem),
                RISK,
                difference + 0.02 * (spread - 1.0),
            );
        }
    }

    fn failed(changes: &Changes) -> (Outcome, usize) {
        let verdict = judge(&measured(changes));
        let failed = verdict.checks.iter().filter(|check| !check.holds);
        (verdict.outcome, failed.count())
    }

    #[test]
    fn what_the_papers_say_passes() {
        let verdict = judge(&measured(&CLAIMED));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
    }

    #[test]
    fn a_part_that_fails_leaves_a_part() {
        let outputs = Changes {
            outputs: 1e-3,
            ..CLAIMED
        };
        assert_eq!(failed(&outputs), (Outcome::PartlyReproduced, 1));
        let invariant = Changes {
            invariant: 1.01,
            ..CLAIMED
        };
        assert_eq!(
            failed(&invariant),
            (Outcome::PartlyReproduced, INVARIANT.len())
        );
        // λ_max, trace, and worst rise, and that they still grow.
        let lambda = Changes {
            lambda: 1.5,
            ..CLAIMED
        };
        assert_eq!(failed(&lambda), (Outcome::PartlyReproduced, 4));
        let good = Changes {
            against: 0.1,
            differences: [0.001, -0.1],
            ..CLAIMED
        };
        assert_eq!(failed(&good), (Outcome::PartlyReproduced, 2));
        // On the loss whose flat minima are good: the difference, and the ratio.
        let same = Changes {
            differences: [0.2, 0.0],
            ..CLAIMED
        };
        assert_eq!(failed(&same), (Outcome::PartlyReproduced, 2));
    }

    #[test]
    fn a_function_that_changes_without_convex_losses_fails() {
        let mut found = Measured::default();
        for factor in FACTORS {
            found.push(of_factor(factor), OUTPUTS, 0.5);
            found.push(of_factor(factor), LAMBDA, 1.0);
        }
        assert_eq!(judge(&found).outcome, Outcome::NotReproduced);
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }

    #[test]
    fn a_seed_that_is_missing_fails() {
        let (none, empty): ([f64; 2], [f64; 0]) = ([1.0, f64::NAN], []);
        assert!(largest([none.as_slice()]).is_nan());
        assert!(smallest([empty.as_slice()]).is_nan() && deviation([empty.as_slice()]).is_nan());
        let cells = [&[1.0, 3.0][..], &[0.5][..]];
        assert_eq!(
            (largest(cells), smallest(cells), deviation(cells)),
            (3.0, 0.5, 2.0)
        );
    }
}
