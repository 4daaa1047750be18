use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::OutOfRange;
use crate::range::ensure;

/// When a [`Watch`](super::Watch) measures.
///
/// # Example
///
/// ```
/// use burnscape::dynamics::Due;
///
/// let steps = |due: Due| (0..=20).filter(|&step| due.is_due(step)).collect::<Vec<_>>();
/// assert_eq!(steps(Due::Every(7)), [0, 7, 14]);
/// assert_eq!(steps(Due::Geometric { first: 2, ratio: 1.5 }), [0, 2, 3, 5, 7, 10, 15]);
/// assert_eq!(steps(Due::At(vec![3, 1])), [1, 3]);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Due {
    /// At multiples of this number of steps, 0 included. At the edge of stability, where weights jump from side to side,
    /// an odd number shows both sides.
    Every(usize),
    /// At step 0, and at `first · ratio^k` for `k = 0, 1, …`, rounded: as many measurements in each factor of time.
    Geometric {
        /// The first step after step 0, at least 1.
        first: usize,
        /// The ratio of a step to the one before, above 1.
        ratio: f64,
    },
    /// At these steps, in any order.
    At(Vec<usize>),
}

impl Due {
    /// Whether a measurement is due at `step`.
    pub fn is_due(&self, step: usize) -> bool {
        match self {
            Self::Every(every) => step.is_multiple_of(*every),
            Self::Geometric { first, ratio } => step == 0 || is_power(step, *first, *ratio),
            Self::At(steps) => steps.contains(&step),
        }
    }

    /// Refuses a schedule without steps.
    pub(crate) fn check(&self) -> Result<(), OutOfRange> {
        match self {
            Self::Every(every) => ensure("every", *every as f64, 1.0..),
            Self::Geometric { first, ratio } => {
                ensure("first", *first as f64, 1.0..)?;
                ensure("ratio", *ratio, (Bound::Excluded(1.0), Bound::Unbounded))
            }
            Self::At(steps) if steps.is_empty() => {
                Err(OutOfRange::new("steps.len()", 0.0, "at least one step"))
            }
            Self::At(_) => Ok(()),
        }
    }
}

/// Whether `step` is `first · ratio^k`, rounded, for some `k`.
fn is_power(step: usize, first: usize, ratio: f64) -> bool {
    let (step, first) = (step as f64, first as f64);
    // If any power is rounded to the step, the first one above `step − ½` is. The logarithm may be off by a rounding error.
    let nearest = ((step - 0.5) / first).ln() / ratio.ln();
    let nearest = nearest.ceil().max(0.0);
    [nearest - 1.0, nearest, nearest + 1.0]
        .into_iter()
        .any(|power| power >= 0.0 && (first * ratio.powf(power)).round() == step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_geometric_schedule_is_that_of_repeated_multiplication() {
        for (first, ratio) in [
            (1, 2.0),
            (1, 1.1),
            (3, 1.5),
            (10, 1.01),
            (7, 1.0001),
            (1, 50.0),
        ] {
            let due = Due::Geometric { first, ratio };
            let mut expected = vec![0];
            let mut power = 0;
            loop {
                let step = (first as f64 * ratio.powi(power)).round() as usize;
                if step > 300 {
                    break;
                }
                if expected.last() != Some(&step) {
                    expected.push(step);
                }
                power += 1;
            }
            let found: Vec<usize> = (0..=300).filter(|&step| due.is_due(step)).collect();
            assert_eq!(found, expected, "{first} {ratio}");
        }
    }

    #[test]
    fn schedules_without_steps_are_refused() {
        let text = |due: Due| due.check().unwrap_err().to_string();
        assert_eq!(text(Due::Every(0)), "`every` is 0; use 1 or more");
        let geometric = |first: usize, ratio: f64| Due::Geometric { first, ratio };
        assert_eq!(text(geometric(0, 2.0)), "`first` is 0; use 1 or more");
        assert_eq!(text(geometric(1, 1.0)), "`ratio` is 1; use more than 1");
        let not_finite = "`ratio` is NaN; use a finite number, more than 1";
        assert_eq!(text(geometric(1, f64::NAN)), not_finite);
        assert!(text(Due::At(Vec::new())).contains("at least one step"));
        for due in [Due::Every(1), geometric(1, 1.5), Due::At(vec![0])] {
            assert_eq!(due.check(), Ok(()));
        }
    }
}
