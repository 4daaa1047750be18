//! What a criterion says: its checks, and the verdict that follows.

use std::fmt;

use super::numbers::{number, to_tolerance, with_error};

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All checks hold.
    Reproduced,
    /// Some do, and an essential one is among them.
    PartlyReproduced,
    /// No essential check holds.
    NotReproduced,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reproduced => "reproduced",
            Self::PartlyReproduced => "partly reproduced",
            Self::NotReproduced => "not reproduced",
        })
    }
}

/// A part of a criterion. A number that is missing makes it fail.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Check {
    /// What was checked, with the number and its bound.
    pub(crate) text: String,
    pub(crate) holds: bool,
    /// Whether the claim is not reproduced at all if no such check holds.
    pub(crate) is_essential: bool,
}

impl Check {
    pub(crate) fn new(text: impl Into<String>, holds: bool) -> Self {
        Self {
            text: text.into(),
            holds,
            is_essential: true,
        }
    }

    pub(crate) fn within(what: impl Into<String>, value: f64, low: f64, high: f64) -> Self {
        let (what, value_text) = (what.into(), number(value));
        let text = format!(
            "{what}: {value_text}, in [{}, {}]",
            number(low),
            number(high)
        );
        Self::new(text, (low..=high).contains(&value))
    }

    pub(crate) fn at_least(what: impl Into<String>, value: f64, bound: f64) -> Self {
        let (what, value_text) = (what.into(), number(value));
        let text = format!("{what}: {value_text}, at least {}", number(bound));
        Self::new(text, value >= bound)
    }

    pub(crate) fn at_most(what: impl Into<String>, value: f64, bound: f64) -> Self {
        let (what, value_text) = (what.into(), number(value));
        let text = format!("{what}: {value_text}, at most {}", number(bound));
        Self::new(text, value <= bound)
    }

    /// Whether a mean with a standard error is within three of them of its law.
    pub(crate) fn agrees(what: impl Into<String>, value: f64, error: f64, law: f64) -> Self {
        let (what, value_text) = (what.into(), with_error(value, Some(error)));
        let law_text = to_tolerance(law, error / 10.0);
        let text = format!("{what}: {value_text}, within 3 standard errors of {law_text}");
        Self::new(text, (value - law).abs() <= 3.0 * error)
    }

    /// Whether a number is an exact one, to a tolerance.
    pub(crate) fn near(what: impl Into<String>, value: f64, exact: f64, tolerance: f64) -> Self {
        let what = what.into();
        let [value_text, exact_text] = [value, exact].map(|it| to_tolerance(it, tolerance));
        let text = format!("{what}: {value_text}, exactly {exact_text}");
        Self::new(text, (value - exact).abs() <= tolerance)
    }

    /// The same check, which is not essential.
    pub(crate) fn minor(mut self) -> Self {
        self.is_essential = false;
        self
    }
}

/// The verdict on a claim.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    pub(crate) checks: Vec<Check>,
}

impl Verdict {
    /// A claim without checks is not reproduced.
    pub(crate) fn of(checks: Vec<Check>) -> Self {
        let mut essential = checks.iter().filter(|check| check.is_essential);
        let outcome = if !essential.any(|check| check.holds) {
            Outcome::NotReproduced
        } else if checks.iter().all(|check| check.holds) {
            Outcome::Reproduced
        } else {
            Outcome::PartlyReproduced
        };
        Self { outcome, checks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(checks: &[(bool, bool)]) -> Outcome {
        let checks = checks.iter().map(|&(holds, is_essential)| Check {
            is_essential,
            ..Check::new("", holds)
        });
        Verdict::of(checks.collect()).outcome
    }

    #[test]
    fn essential_checks_decide_between_partly_and_not() {
        assert_eq!(outcome(&[(true, true), (true, false)]), Outcome::Reproduced);
        for checks in [
            [(true, true), (false, true)],
            [(true, true), (false, false)],
        ] {
            assert_eq!(outcome(&checks), Outcome::PartlyReproduced);
        }
        let failed = [(false, true), (true, false)];
        assert_eq!(outcome(&failed), Outcome::NotReproduced);
        assert_eq!(outcome(&[]), Outcome::NotReproduced);
    }

    #[test]
    fn checks_say_the_number_and_the_bound() {
        let check = Check::within("the tail", 1.0062, 0.98, 1.03);
        assert!(check.holds && check.is_essential && !check.clone().minor().is_essential);
        assert_eq!(check.text, "the tail: 1.006, in [0.9800, 1.030]");
        assert!(!Check::at_least("a", 9.9, 10.0).holds && Check::at_most("a", 9.9, 10.0).holds);
        let check = Check::agrees("the time", 95.656, 0.026, 95.613);
        assert_eq!(
            check.text,
            "the time: 95.656 ± 0.026, within 3 standard errors of 95.613"
        );
        assert!(check.holds && !Check::agrees("", 95.7, 0.026, 95.613).holds);
        let check = Check::near("the factor", 1.316_227_8, 1.316_227_766, 1e-6);
        assert_eq!(check.text, "the factor: 1.316228, exactly 1.316228");
        assert!(check.holds);
    }

    #[test]
    fn what_is_missing_fails() {
        let checks = [
            Check::within("a", f64::NAN, 0.0, 1.0),
            Check::at_least("a", f64::NAN, 0.0),
            Check::at_most("a", f64::NAN, 0.0),
            Check::agrees("a", f64::NAN, f64::NAN, 0.0),
            Check::agrees("a", 0.0, f64::NAN, 0.0),
            Check::near("a", f64::NAN, 0.0, 1.0),
        ];
        assert!(checks.iter().all(|check| !check.holds));
    }
}
