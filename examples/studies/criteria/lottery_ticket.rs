//! Tickets beside new weights and random masks.

use burnscape::krylov::Estimate;

use crate::studies::frame::{Check, Measured, Verdict};

pub(crate) const TICKET: &str = "ticket, rewound to step 0";
pub(crate) const OTHER: &str = "same mask, new weights";
pub(crate) const RANDOM: &str = "random mask";
pub(crate) const REWOUND: &str = "ticket, rewound to step 40";
pub(crate) const BARRIER: &str = "barrier between data orders";

/// The row of a share of the weights.
pub(crate) fn row(share: f64) -> String {
    format!("{share:.3} of the weights")
}

/// The shares of the criterion: levels 14 to 16, which are those up to 0.05.
pub(crate) const FEW: [f64; 3] = [0.044, 0.035, 0.028];
/// A difference is clear beyond so many of its standard errors.
const CLEAR: f64 = 3.0;

/// By how much one kind of network is more accurate than another, seed by seed.
pub(crate) fn lead(found: &Measured, row: &str, [first, second]: [&str; 2]) -> Estimate {
    let pairs = found
        .values(row, first)
        .iter()
        .zip(found.values(row, second));
    let gaps: Vec<f64> = pairs.map(|(first, second)| first - second).collect();
    Estimate::of(&gaps)
}

/// With few weights a ticket is better than new weights in its places, and these than as many in random places.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let checks = FEW.into_iter().flat_map(|share| {
        [[TICKET, OTHER], [OTHER, RANDOM]].map(|[first, second]| {
            let row = row(share);
            let gap = lead(found, &row, [first, second]);
            let errors = gap.value / gap.standard_error.unwrap_or(f64::NAN);
            let what = format!("{row}: {first} above {second}, in standard errors");
            Check::at_least(what, errors, CLEAR)
        })
    });
    Verdict::of(checks.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// Accuracies around these means, whose differences within seeds have a standard error of 0.002.
    fn measured(ticket: f64, other: f64, random: f64) -> Measured {
        let mut found = Measured::default();
        let kinds = [
            (TICKET, ticket, 1.0),
            (OTHER, other, -1.0),
            (RANDOM, random, 1.0),
        ];
        for share in FEW {
            for (column, mean, sign) in kinds {
                for offset in [-2.0, -1.0, 0.0, 1.0, 2.0] {
                    // What is common to all three cancels.
                    let common = 0.01 * offset * offset;
                    let own = 0.001 * 2.0_f64.sqrt() * sign * offset;
                    found.push(row(share), column, mean + common + own);
                }
            }
        }
        found
    }

    #[test]
    fn leads_are_taken_within_seeds() {
        let found = measured(0.97, 0.95, 0.7);
        let gap = lead(&found, &row(FEW[0]), [TICKET, OTHER]);
        assert!((gap.value - 0.02).abs() < 1e-12);
        assert!((gap.standard_error.unwrap() - 0.002).abs() < 1e-12);
    }

    #[test]
    fn rows_are_those_of_the_levels() {
        // A fifth of what is left, to the nearest number.
        let mut left: f64 = 11_900.0;
        let levels = (0..16).map(|_| {
            left -= (0.2 * left).round();
            row(left / 11_900.0)
        });
        let levels: Vec<String> = levels.collect();
        assert_eq!(levels[13..], FEW.map(row));
    }

    #[test]
    fn clear_leads_pass() {
        let verdict = judge(&measured(0.97, 0.95, 0.7));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
    }

    #[test]
    fn a_lead_within_its_error_fails() {
        let verdict = judge(&measured(0.955, 0.95, 0.7));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
        let failed = verdict.checks.iter().filter(|check| !check.holds);
        assert_eq!(failed.count(), 3);
    }

    #[test]
    fn tickets_that_are_worse_and_nothing_are_not_reproduced() {
        for found in [measured(0.7, 0.8, 0.9), Measured::default()] {
            assert_eq!(judge(&found).outcome, Outcome::NotReproduced);
        }
    }
}
