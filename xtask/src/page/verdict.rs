//! What checks find.

/// The result of a check.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// All is well; what was measured.
    Passed(String),
    /// What is wrong.
    Failed(String),
    /// The page has nothing to check.
    Absent,
}

impl Verdict {
    /// The measure passes if `is_met`, and is the problem otherwise.
    pub(super) fn of(is_met: bool, measure: impl Into<String>) -> Self {
        if is_met {
            Self::Passed(measure.into())
        } else {
            Self::Failed(measure.into())
        }
    }
}

/// The verdicts of a run, printed as they come.
#[derive(Debug, Default)]
pub(super) struct Tally {
    passed: usize,
    failed: Vec<String>,
}

impl Tally {
    /// Counts a verdict. A page of our own has all that is checked.
    pub(super) fn add(&mut self, page: &str, check: &str, verdict: Verdict, is_needed: bool) {
        let verdict = match verdict {
            Verdict::Absent if is_needed => Verdict::Failed("the page has none".into()),
            verdict => verdict,
        };
        let (word, text) = match verdict {
            Verdict::Passed(text) => {
                self.passed += 1;
                ("ok", text)
            }
            Verdict::Failed(text) => {
                self.failed.push(format!("{page}: {check}: {text}"));
                ("FAILED", text)
            }
            Verdict::Absent => ("none", String::new()),
        };
        println!("{}", format!("  {word:<7} {check:<9} {text}").trim_end());
    }

    /// Prints the sum. Failures are repeated in the error.
    pub(super) fn close(self) -> Result<(), String> {
        if self.failed.is_empty() {
            println!("{} checks passed", self.passed);
            return Ok(());
        }
        Err(format!(
            "{} of {} checks failed:\n{}",
            self.failed.len(),
            self.passed + self.failed.len(),
            self.failed.join("\n")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_fails_only_where_it_is_needed() {
        let mut tally = Tally::default();
        tally.add("a", "drag", Verdict::Absent, false);
        tally.add("a", "drag", Verdict::of(true, "40 %"), true);
        assert_eq!((tally.passed, tally.failed.len()), (1, 0));
        tally.add("b", "drag", Verdict::Absent, true);
        tally.add("b", "keys", Verdict::of(false, "0 %"), false);
        let message = tally.close().unwrap_err();
        assert!(message.starts_with("2 of 3 checks failed"), "{message}");
        assert!(message.ends_with("b: keys: 0 %"), "{message}");
    }

    #[test]
    fn without_failures_all_is_well() {
        assert!(Tally::default().close().is_ok());
    }
}
