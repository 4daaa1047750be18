//! Merged networks beside the plain average and the best single one.

use burnscape::krylov::Estimate;

use crate::studies::frame::{Check, Measured, Verdict};

/// Two networks from different starts.
pub(crate) const PAIR: &str = "two networks";
/// Five networks from one start.
pub(crate) const ONE_START: &str = "one start";
/// Five from different ones.
pub(crate) const OWN_STARTS: &str = "own starts";
/// Networks that know some digits each.
pub(crate) const TASKS: &str = "tasks";
/// Clients whose networks are averaged again and again.
pub(crate) const FEDERATED: &str = "federated";

pub(crate) const SINGLE: &str = "best single network";
pub(crate) const AVERAGE: &str = "plain average";
pub(crate) const BY_WEIGHTS: &str = "average, aligned by weights";
pub(crate) const ALIGNED: &str = "aligned average";
pub(crate) const GREEDY: &str = "greedy soup";
pub(crate) const ARITHMETIC: &str = "task arithmetic";

pub(crate) const ACCURACY: &str = "test accuracy, %";

/// Local steps of clients between two averages.
pub(crate) const LOCAL_STEPS: [usize; 3] = [1, 10, 100];

/// The row of a network or ensemble of a part.
pub(crate) fn row(part: &str, name: &str) -> String {
    format!("{part}: {name}")
}

/// The name of a repaired network.
pub(crate) fn repaired(name: &str) -> String {
    format!("{name}, repaired")
}

/// The name of a federated average.
pub(crate) fn every(local_steps: usize, is_aligned: bool, has_own_starts: bool) -> String {
    let often = match local_steps {
        1 => "average every step".to_string(),
        _ => format!("average every {local_steps} steps"),
    };
    let aligned = if is_aligned { ", aligned" } else { "" };
    let own = if has_own_starts { ", own starts" } else { "" };
    format!("{often}{aligned}{own}")
}

/// A difference is clear if an interval with this confidence does not contain zero.
pub(crate) const CONFIDENCE: f64 = 0.95;

/// By how many points one row is more accurate than another on test images, seed by seed.
pub(crate) fn lead(found: &Measured, first: &str, second: &str) -> Estimate {
    let [first, second] = [first, second].map(|row| found.values(row, ACCURACY));
    let gaps = first
        .iter()
        .zip(second)
        .map(|(first, second)| first - second);
    Estimate::of(&gaps.collect::<Vec<f64>>())
}

/// What a lead is compared with.
enum Bound {
    /// Clearly above.
    Above,
    /// Clearly below.
    Below,
    /// Not clearly below.
    NotBelow,
}

fn check(found: &Measured, part: &str, [first, second]: [&str; 2], bound: Bound) -> Check {
    let gap = lead(found, &row(part, first), &row(part, second));
    let (value, width) = (gap.value, gap.half_width(CONFIDENCE).unwrap_or(f64::NAN));
    let (words, holds) = match bound {
        Bound::Above => ("clearly above", value - width > 0.0),
        Bound::Below => ("clearly below", value + width < 0.0),
        Bound::NotBelow => ("not clearly below", value + width >= 0.0),
    };
    let text = format!(
        "{part}: {first} {words} {second}: {value:.2} ± {width:.2} points ({:.0} % interval)",
        100.0 * CONFIDENCE
    );
    Check::new(text, holds)
}

/// Averages are as good as the best network where the networks have one start, and need an alignment where they have
/// not; networks of several tasks and clients are better together.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let check = |part, names, bound| check(found, part, names, bound);
    let repaired = repaired(BY_WEIGHTS);
    let often = every(LOCAL_STEPS[0], false, false);
    let [plain, aligned] = [false, true].map(|is| every(LOCAL_STEPS[2], is, true));
    Verdict::of(vec![
        check(PAIR, [BY_WEIGHTS, AVERAGE], Bound::Above),
        check(PAIR, [repaired.as_str(), BY_WEIGHTS], Bound::Above).minor(),
        check(ONE_START, [AVERAGE, SINGLE], Bound::NotBelow),
        check(ONE_START, [GREEDY, SINGLE], Bound::Above).minor(),
        check(OWN_STARTS, [AVERAGE, SINGLE], Bound::Below),
        check(OWN_STARTS, [ALIGNED, AVERAGE], Bound::Above),
        check(TASKS, [ARITHMETIC, SINGLE], Bound::Above),
        check(FEDERATED, [often.as_str(), SINGLE], Bound::Above),
        check(FEDERATED, [aligned.as_str(), plain.as_str()], Bound::Above),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// Accuracies of all rows, with another aligned average of two networks.
    fn measured(by_weights: f64) -> Measured {
        let aligned = every(100, true, true);
        let plain = every(100, false, true);
        let rows = [
            (row(PAIR, AVERAGE), 80.0),
            (row(PAIR, BY_WEIGHTS), by_weights),
            (row(PAIR, &repaired(BY_WEIGHTS)), by_weights + 1.0),
            (row(ONE_START, SINGLE), 95.0),
            (row(ONE_START, AVERAGE), 95.0),
            (row(ONE_START, GREEDY), 96.0),
            (row(OWN_STARTS, SINGLE), 95.0),
            (row(OWN_STARTS, AVERAGE), 70.0),
            (row(OWN_STARTS, ALIGNED), 92.0),
            (row(TASKS, SINGLE), 40.0),
            (row(TASKS, ARITHMETIC), 75.0),
            (row(FEDERATED, SINGLE), 60.0),
            (row(FEDERATED, &every(1, false, false)), 91.0),
            (row(FEDERATED, &plain), 70.0),
            (row(FEDERATED, &aligned), 80.0),
        ];
        let mut found = Measured::default();
        for (index, (row, accuracy)) in rows.iter().enumerate() {
            for seed in 0..5 {
                // What is common to a seed cancels; the rest differs from row to row.
                let own = 0.1 * ((3 * index + 7 * seed) % 5) as f64;
                found.push(row.as_str(), ACCURACY, accuracy + 3.0 * seed as f64 + own);
            }
        }
        found
    }

    #[test]
    fn federated_averages_have_their_names() {
        assert_eq!(every(1, false, false), "average every step");
        assert_eq!(
            every(10, true, true),
            "average every 10 steps, aligned, own starts"
        );
    }

    #[test]
    fn leads_are_taken_within_seeds() {
        let mut found = Measured::default();
        for seed in 0..5 {
            found.push("a", ACCURACY, 90.0 + 3.0 * f64::from(seed));
            found.push("b", ACCURACY, 89.0 + 3.0 * f64::from(seed));
        }
        let gap = lead(&found, "a", "b");
        assert_eq!((gap.value, gap.standard_error), (1.0, Some(0.0)));
    }

    #[test]
    fn what_the_papers_say_passes() {
        let verdict = judge(&measured(93.0));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
    }

    #[test]
    fn an_alignment_that_does_not_help_fails() {
        let verdict = judge(&measured(80.0));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
        let failed = verdict.checks.iter().filter(|check| !check.holds);
        assert_eq!(failed.count(), 1);
    }

    #[test]
    fn equal_networks_are_not_clearly_different() {
        let mut found = Measured::default();
        for name in [SINGLE, AVERAGE, GREEDY] {
            found.extend(&row(ONE_START, name), ACCURACY, [95.0; 5]);
        }
        let names = [GREEDY, SINGLE];
        assert!(!check(&found, ONE_START, names, Bound::Above).holds);
        assert!(!check(&found, ONE_START, names, Bound::Below).holds);
        assert!(check(&found, ONE_START, names, Bound::NotBelow).holds);
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }
}
