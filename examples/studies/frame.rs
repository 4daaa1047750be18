//! What a study is, and how it runs.

use std::time::Instant;

use super::workers;
use crate::Failure;

pub(crate) use super::measured::{Cell, Chart, Measured};
pub(crate) use super::verdict::{Check, Outcome, Verdict};

/// A finding of the literature, and a criterion by which it is reproduced or not.
pub(crate) struct Study {
    /// As the command line has it: `edge-of-stability`.
    pub(crate) name: &'static str,
    /// What the papers say, in one sentence.
    pub(crate) claim: &'static str,
    pub(crate) papers: &'static [&'static str],
    /// What is run, in one paragraph.
    pub(crate) ran: &'static str,
    /// What would change the verdict.
    pub(crate) would_change: &'static str,
    /// What one would conclude wrongly from the table or the picture.
    pub(crate) wrong: &'static str,
    /// Numbers of another implementation to compare with.
    pub(crate) references: &'static [Reference],
    pub(crate) run: fn(&Plan, &mut Measured) -> Result<(), Failure>,
    /// The criterion, which was fixed before the first run on the final seeds.
    pub(crate) judge: fn(&Measured) -> Verdict,
}

/// Numbers agree if they differ by at most so many standard errors of both together.
pub(crate) const AGREEMENT: f64 = 3.0;

/// A number of another implementation, or an exact one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reference {
    pub(crate) row: &'static str,
    pub(crate) column: &'static str,
    pub(crate) mean: f64,
    /// That of a printed number without one is half of its last digit.
    pub(crate) standard_error: f64,
}

impl Reference {
    pub(crate) const fn new(
        row: &'static str,
        column: &'static str,
        mean: f64,
        standard_error: f64,
    ) -> Self {
        Self {
            row,
            column,
            mean,
            standard_error,
        }
    }

    /// How far away what was measured is, in standard errors of both together. Not a number if nothing was.
    pub(crate) fn distance(&self, found: &Measured) -> f64 {
        let difference = (found.mean(self.row, self.column) - self.mean).abs();
        let error = found.standard_error(self.row, self.column);
        // A single number has none.
        let error = if error.is_finite() { error } else { 0.0 };
        if difference == 0.0 {
            return 0.0;
        }
        difference / error.hypot(self.standard_error)
    }

    pub(crate) fn agrees(&self, found: &Measured) -> bool {
        self.distance(found) <= AGREEMENT
    }
}

/// With which seeds a study runs, and how long.
pub(crate) struct Plan {
    pub(crate) seeds: Vec<u64>,
    /// Tiny sizes, whose numbers mean nothing.
    pub(crate) quick: bool,
    name: &'static str,
    started: Instant,
}

impl Plan {
    pub(crate) fn new(name: &'static str, seeds: Vec<u64>, quick: bool) -> Self {
        Self {
            seeds,
            quick,
            name,
            started: Instant::now(),
        }
    }

    /// A number of steps: a twentieth for a quick look, and at least two.
    pub(crate) fn steps(&self, full: usize) -> usize {
        if self.quick { (full / 20).max(2) } else { full }
    }

    /// One of two sizes.
    pub(crate) fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Says how far the run is.
    pub(crate) fn progress(&self, text: impl AsRef<str>) {
        let (name, text) = (self.name, text.as_ref());
        eprintln!("{name}, {:.0} s: {text}", self.seconds());
    }

    /// Since the start.
    pub(crate) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Works on two threads, and returns the results in the order of the seeds. The first error ends the run.
    ///
    /// Draw random numbers from the seed alone: the random stream of a device is shared by all threads.
    pub(crate) fn over_seeds<T: Send>(
        &self,
        work: impl Fn(u64) -> Result<T, Failure> + Sync,
    ) -> Result<Vec<T>, Failure> {
        self.over(&self.seeds, |&seed| work(seed))
    }

    /// The same for any jobs, for instance pairs of a setting and a seed.
    pub(crate) fn over<J: Sync, T: Send>(
        &self,
        jobs: &[J],
        work: impl Fn(&J) -> Result<T, Failure> + Sync,
    ) -> Result<Vec<T>, Failure> {
        workers::in_order(jobs, work)
    }
}

/// A study that has run.
pub(crate) struct Finished<'s> {
    pub(crate) study: &'s Study,
    pub(crate) plan: &'s Plan,
    pub(crate) found: &'s Measured,
    pub(crate) verdict: &'s Verdict,
    pub(crate) seconds: f64,
    /// The most memory of the process, where the system tells.
    pub(crate) peak_bytes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_look_is_shorter_and_not_empty() {
        let [full, quick] = [false, true].map(|quick| Plan::new("a", vec![0], quick));
        assert_eq!([full.steps(100), quick.steps(100)], [100, 5]);
        assert_eq!(quick.steps(3), 2);
        assert_eq!([full.pick(9, 1), quick.pick(9, 1)], [9, 1]);
    }

    #[test]
    fn seeds_keep_their_order() {
        let plan = Plan::new("a", vec![3, 1, 2], false);
        let found = plan.over_seeds(|seed| Ok(10 * seed)).unwrap();
        assert_eq!(found, [30, 10, 20]);
    }

    #[test]
    fn a_reference_agrees_within_three_standard_errors_of_both() {
        let mut found = Measured::default();
        // 2 ± 0.3.
        found.extend("a", "b", [1.7, 2.3]);
        let near = Reference::new("a", "b", 3.4, 0.4);
        assert!((near.distance(&found) - 2.8).abs() < 1e-12 && near.agrees(&found));
        assert!(!Reference::new("a", "b", 3.6, 0.4).agrees(&found));
        assert!(!Reference::new("a", "c", 2.0, 9.0).agrees(&found));
    }

    #[test]
    fn a_single_number_is_compared_by_the_error_of_the_reference() {
        let mut found = Measured::default();
        found.push("a", "b", 145.0);
        assert!(Reference::new("a", "b", 145.0, 0.0).agrees(&found));
        assert!(Reference::new("a", "b", 144.9, 0.05).agrees(&found));
        assert!(!Reference::new("a", "b", 144.8, 0.05).agrees(&found));
    }
}
