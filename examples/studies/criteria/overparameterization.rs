//! Overparameterization: the dimension of the zero-loss manifold, a walk along it, and which runs reach zero loss. Fixed after pilots with the seeds 2 to 4.

use crate::studies::frame::{Check, Measured, Verdict};

/// A network of one hidden layer and the number of points that it fits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fit {
    pub(crate) row: &'static str,
    /// Inputs, hidden units and outputs.
    pub(crate) sizes: [usize; 3],
    pub(crate) points: usize,
}

impl Fit {
    /// Weights and biases.
    pub(crate) const fn weights(&self) -> usize {
        let [inputs, hidden, outputs] = self.sizes;
        (inputs + 1) * hidden + (hidden + 1) * outputs
    }

    /// One for each output of each point.
    pub(crate) const fn equations(&self) -> usize {
        self.points * self.sizes[2]
    }
}

pub(crate) const FITS: [Fit; 3] = [
    Fit {
        row: "tanh 4-16-1, 20 points",
        sizes: [4, 16, 1],
        points: 20,
    },
    Fit {
        row: "tanh 4-12-3, 12 points",
        sizes: [4, 12, 3],
        points: 12,
    },
    Fit {
        row: "tanh 4-32-1, 40 points",
        sizes: [4, 32, 1],
        points: 40,
    },
];

/// Eigenvalues of the Hessian that are not zero, and that are.
pub(crate) const RANK: &str = "rank of the Hessian";
pub(crate) const NULLS: &str = "null directions";
/// The eigenvalue at the rank that is claimed over the next one.
pub(crate) const GAP: &str = "gap at n · outputs";

/// A walk from the first fit.
pub(crate) const WALK: &str = "walk, tanh 4-16-1";
/// From the start, in lengths of its weights.
pub(crate) const DISTANCE: &str = "distance over |w|";
pub(crate) const HIGHEST: &str = "highest loss";
/// In the middle between neighboring points.
pub(crate) const BETWEEN: &str = "highest loss between points";
/// On the straight line between both ends.
pub(crate) const LINE: &str = "highest loss on the line";

/// What networks of several widths are trained on.
pub(crate) const TEACHER: &str = "ReLU teacher";
pub(crate) const SIGNS: &str = "random signs";
/// The first is the number of the teacher's units, and the first with as many weights as points.
pub(crate) const TEACHER_WIDTHS: [usize; 5] = [5, 8, 16, 32, 64];
pub(crate) const SIGNS_WIDTHS: [usize; 5] = [4, 6, 8, 16, 32];
/// Half the mean squared error below which a run counts: the targets have a variance of one.
pub(crate) const ZERO_LOSS: f64 = 1e-3;

/// Of the runs of a seed from several starts.
pub(crate) const SHARE: &str = "share at zero loss";
/// The standard deviation of their last losses.
pub(crate) const SPREAD: &str = "spread of the last loss";

/// The row of a width.
pub(crate) fn of_width(task: &str, width: usize) -> String {
    format!("{task}, width {width}")
}

/// The row of the difference between the widest and the narrowest networks.
pub(crate) fn of_difference(task: &str) -> String {
    format!("{task}, widest − narrowest")
}

/// Between eigenvalues that are not zero and those that are.
const LEAST_GAP: f64 = 1e3;
/// A walk goes so far, in lengths of the weights at its start.
const FAR: f64 = 1.0;
const LOW: f64 = 1e-10;
/// The line between the ends of the walk is no part of the manifold.
const HIGH: f64 = 1e-4;
/// Between the points of the walk the loss is no more than this share of that on the line.
const LOWER: f64 = 0.01;
/// The largest share of narrow networks at zero loss.
const FEW: f64 = 0.7;
const NARROWER: f64 = 10.0;
/// Standard errors.
const CLEAR: f64 = 3.0;

/// The rank of the Hessian is the number of equations, the manifold can be walked along, and wide networks reach zero loss
/// from every start.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let mut checks: Vec<Check> = FITS.iter().flat_map(|fit| of_fit(found, fit)).collect();
    checks.extend(of_walk(found));
    let [narrow, wide] = ends(&TEACHER_WIDTHS);
    checks.extend(of_widths(found, TEACHER, [narrow, wide]));
    let others = of_widths(found, SIGNS, ends(&SIGNS_WIDTHS));
    checks.extend(others.into_iter().map(Check::minor));
    Verdict::of(checks)
}

fn ends(widths: &[usize; 5]) -> [usize; 2] {
    [widths[0], widths[4]]
}

fn of_fit(found: &Measured, fit: &Fit) -> Vec<Check> {
    let Fit { row, .. } = fit;
    let away = |column: &str, exact: usize| {
        let counts = found.values(row, column).iter();
        largest(counts.map(|count| (count - exact as f64).abs()))
    };
    let nulls = fit.weights() - fit.equations();
    let gaps = found.values(row, GAP).iter();
    vec![
        Check::at_most(
            format!(
                "{row}: largest distance of the rank from {}",
                fit.equations()
            ),
            away(RANK, fit.equations()),
            0.0,
        ),
        Check::at_most(
            format!("{row}: largest distance of the null directions from {nulls}"),
            away(NULLS, nulls),
            0.0,
        )
        .minor(),
        Check::at_least(
            format!("{row}: smallest gap between the eigenvalues of both kinds"),
            -largest(gaps.map(|gap| -gap)),
            LEAST_GAP,
        )
        .minor(),
    ]
}

fn of_walk(found: &Measured) -> Vec<Check> {
    let highest = found.values(WALK, HIGHEST).iter();
    let rank = FITS[0].equations();
    let ranks = found.values(WALK, RANK).iter();
    vec![
        Check::at_least(
            "distance of the walk's end over the length of the weights",
            found.mean(WALK, DISTANCE),
            FAR,
        ),
        Check::at_most("highest loss at its points", largest(highest.copied()), LOW).minor(),
        Check::at_most(
            "highest loss between its points over that on the straight line between its ends",
            found.mean(WALK, BETWEEN) / found.mean(WALK, LINE),
            LOWER,
        ),
        Check::at_least(
            "highest loss on the straight line between its ends",
            found.mean(WALK, LINE),
            HIGH,
        )
        .minor(),
        Check::at_most(
            format!("largest distance of the rank at its end from {rank}"),
            largest(ranks.map(|count| (count - rank as f64).abs())),
            0.0,
        )
        .minor(),
    ]
}

fn of_widths(found: &Measured, task: &str, [narrow, wide]: [usize; 2]) -> Vec<Check> {
    let [narrow, wide] = [narrow, wide].map(|width| of_width(task, width));
    let difference = of_difference(task);
    let (mean, error) = (
        found.mean(&difference, SHARE),
        found.standard_error(&difference, SHARE),
    );
    vec![
        Check::at_most(
            format!("{narrow}: share of runs at zero loss"),
            found.mean(&narrow, SHARE),
            FEW,
        )
        .minor(),
        Check::at_least(
            format!("{wide}: share of runs at zero loss"),
            found.mean(&wide, SHARE),
            1.0,
        ),
        Check::at_least(
            format!("{task}: the share rises from the narrowest to the widest, in standard errors"),
            mean / error,
            CLEAR,
        ),
        Check::at_least(
            format!("{task}: spread of the last loss of the narrowest over that of the widest"),
            found.mean(&narrow, SPREAD) / found.mean(&wide, SPREAD),
            NARROWER,
        ),
    ]
}

/// Not a number if there is none, or one is none.
fn largest(values: impl Iterator<Item = f64>) -> f64 {
    let most = values.reduce(|most, value| match most.is_nan() || most >= value {
        true => most,
        false => value,
    });
    most.unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    struct Numbers {
        /// By how much ranks are too large.
        more: f64,
        distance: f64,
        /// Between the points of the walk; on the line it is 0.01.
        between: f64,
        /// At both ends of the widths.
        shares: [f64; 2],
        spreads: [f64; 2],
    }

    const CLAIMED: Numbers = Numbers {
        more: 0.0,
        distance: 1.8,
        between: 1e-6,
        shares: [0.2, 1.0],
        spreads: [0.05, 1e-5],
    };

    fn measured(numbers: &Numbers) -> Measured {
        let mut found = Measured::default();
        for spread in [0.9, 1.0, 1.1] {
            for fit in &FITS {
                let rank = fit.equations() as f64 + numbers.more;
                found.push(fit.row, RANK, rank);
                found.push(fit.row, NULLS, fit.weights() as f64 - rank);
                found.push(fit.row, GAP, 1e6 * spread);
            }
            found.push(WALK, DISTANCE, numbers.distance * spread);
            found.push(WALK, HIGHEST, 1e-13 * spread);
            found.push(WALK, BETWEEN, numbers.between * spread);
            found.push(WALK, LINE, 0.01 * spread);
            found.push(WALK, RANK, FITS[0].equations() as f64);
            for (task, widths) in [(TEACHER, TEACHER_WIDTHS), (SIGNS, SIGNS_WIDTHS)] {
                let [low, high] = numbers.shares;
                for (place, width) in ends(&widths).into_iter().enumerate() {
                    let row = of_width(task, width);
                    found.push(row.as_str(), SPREAD, numbers.spreads[place] * spread);
                    let share = if place == 0 { low * spread } else { high };
                    found.push(row, SHARE, share);
                }
                found.push(of_difference(task), SHARE, high - low * spread);
            }
        }
        found
    }

    fn failed(numbers: &Numbers) -> (Outcome, usize) {
        let verdict = judge(&measured(numbers));
        let failed = verdict.checks.iter().filter(|check| !check.holds);
        (verdict.outcome, failed.count())
    }

    #[test]
    fn weights_and_equations_are_counted() {
        let counts = FITS.map(|fit| (fit.weights(), fit.equations()));
        assert_eq!(counts, [(97, 20), (99, 36), (193, 40)]);
    }

    #[test]
    fn what_is_claimed_passes() {
        let verdict = judge(&measured(&CLAIMED));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
    }

    #[test]
    fn a_part_that_fails_leaves_a_part() {
        // Ranks and null directions of every network.
        let ranks = Numbers {
            more: 1.0,
            ..CLAIMED
        };
        assert_eq!(failed(&ranks), (Outcome::PartlyReproduced, 2 * FITS.len()));
        let walk = Numbers {
            distance: 0.1,
            between: 1e-3,
            ..CLAIMED
        };
        assert_eq!(failed(&walk), (Outcome::PartlyReproduced, 2));
        // On both tasks: the share of the narrowest, and that of the widest.
        let shares = Numbers {
            shares: [0.7, 0.95],
            ..CLAIMED
        };
        let verdict = judge(&measured(&shares));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
        let spreads = Numbers {
            spreads: [0.05, 0.04],
            ..CLAIMED
        };
        assert_eq!(failed(&spreads), (Outcome::PartlyReproduced, 2));
    }

    #[test]
    fn no_manifold_and_no_effect_of_the_width_fail() {
        let numbers = Numbers {
            more: -3.0,
            distance: 0.0,
            between: 0.1,
            shares: [0.6, 0.6],
            spreads: [0.1, 0.1],
        };
        assert_eq!(failed(&numbers).0, Outcome::NotReproduced);
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }
}
