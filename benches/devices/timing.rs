use std::time::Instant;

use crate::{Failure, Outcome};

/// Rounds that are not counted.
const WARM_UP: usize = 3;

/// Seconds of pieces of work that take turns, for each round.
pub(crate) struct Times<const N: usize>(Vec<[f64; N]>);

impl<const N: usize> Times<N> {
    pub(crate) fn in_turns(
        rounds: usize,
        work: [&mut dyn FnMut() -> Outcome; N],
    ) -> Result<Self, Failure> {
        let mut times = Vec::with_capacity(rounds);
        for round in 0..rounds + WARM_UP {
            let mut found = [0.0; N];
            for turn in 0..N {
                let index = (turn + round) % N;
                let start = Instant::now();
                (work[index])()?;
                found[index] = start.elapsed().as_secs_f64();
            }
            if round >= WARM_UP {
                times.push(found);
            }
        }
        Ok(Self(times))
    }

    /// Median milliseconds of one of them.
    pub(crate) fn ms(&self, index: usize) -> f64 {
        1e3 * self.median(|times| times[index])
    }

    /// The median of one over another in the same round.
    pub(crate) fn ratio(&self, top: usize, bottom: usize) -> f64 {
        self.median(|times| times[top] / times[bottom])
    }

    fn median(&self, of: impl Fn(&[f64; N]) -> f64) -> f64 {
        let mut values: Vec<f64> = self.0.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }
}
