//! Depth, skip connections and normalization.

use crate::studies::frame::{Check, Measured, Verdict};

/// Depth 24 without and with skip connections, and with layer normalization as well.
pub(crate) const PLAIN: &str = "plain, depth 24";
pub(crate) const SKIP: &str = "skip, depth 24";
pub(crate) const NORM_SKIP: &str = "layer norm and skip, depth 24";

/// The loss at the end of the training with the rate whose mean loss is lowest.
pub(crate) const BEST_LOSS: &str = "best loss";
/// How many rates have a mean loss below [`USABLE`] at the end.
pub(crate) const USABLE_RATES: &str = "usable rates";
pub(crate) const LAMBDA: &str = "λ_max at the start";

/// A loss below this one is that of a network that has learned something: guessing has ln 10.
pub(crate) const USABLE: f64 = 1.0;

/// Skip connections make a deep network trainable, and normalization with them at every rate.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let [plain, skip, both] = [PLAIN, SKIP, NORM_SKIP].map(|row| found.mean(row, BEST_LOSS));
    Verdict::of(vec![
        // Without it there is nothing to explain.
        Check::at_least("best loss of the plain network", plain, 1.0).minor(),
        Check::at_most("best loss with skip connections", skip, 0.5),
        Check::at_most(
            "best loss with layer normalization and skip connections",
            both,
            0.05,
        ),
        Check::at_least(
            "rates at which the network with both has a loss below 1",
            found.mean(NORM_SKIP, USABLE_RATES),
            4.0,
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    fn measured(losses: [f64; 3], rates: f64) -> Measured {
        let mut found = Measured::default();
        for (row, loss) in [PLAIN, SKIP, NORM_SKIP].into_iter().zip(losses) {
            found.extend(row, BEST_LOSS, [0.9 * loss, 1.1 * loss]);
        }
        found.push(NORM_SKIP, USABLE_RATES, rates);
        found
    }

    #[test]
    fn what_the_recipe_saw_passes() {
        let verdict = judge(&measured([1.65, 0.151, 0.004], 4.0));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
    }

    #[test]
    fn one_part_that_fails_leaves_a_part() {
        for found in [
            measured([0.4, 0.151, 0.004], 4.0),
            measured([1.65, 0.6, 0.004], 4.0),
            measured([1.65, 0.151, 0.06], 4.0),
            measured([1.65, 0.151, 0.004], 3.0),
        ] {
            let verdict = judge(&found);
            assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
            let failed = verdict.checks.iter().filter(|check| !check.holds);
            assert_eq!(failed.count(), 1);
        }
    }

    #[test]
    fn a_plain_network_that_fails_is_not_enough() {
        let verdict = judge(&measured([1.65, 1.6, 1.5], 0.0));
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }
}
