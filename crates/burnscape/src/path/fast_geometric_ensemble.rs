use std::ops::Bound;

use burn::optim::LearningRate;
use burn::optim::lr_scheduler::{LrScheduler, LrSchedulerRecord};

use super::PathError;
use crate::range::{OutOfRange, ensure};

/// The learning rate of fast geometric ensembling: it falls linearly from `high` to `low` in the first
/// half of each cycle and rises again in the second. Collect the models in the middle of the cycles, where the rate is
/// lowest, for an ensemble or for [`Swa`](crate::optim::Swa).
///
/// `α(i) = (1 − 2s) high + 2s low` for `s ≤ ½` and `(2 − 2s) low + (2s − 1) high` after it, with
/// `s = ((i − 1) mod c + 1) / c` and steps `i` counted from one.
///
/// # Example
///
/// ```
/// use burn::optim::lr_scheduler::LrScheduler;
/// use burnscape::path::FastGeometricEnsemble;
///
/// let mut schedule = FastGeometricEnsemble::new(0.05, 0.0005, 4)?;
/// let mut collected = 0;
/// for step in 0..12 {
///     let rate = schedule.step();
///     // … a training step …
///     if schedule.is_lowest() {
///         assert_eq!((rate, step % 4), (0.0005, 1));
///         collected += 1;
///     }
/// }
/// assert_eq!(collected, 3);
/// # Ok::<(), burnscape::path::PathError>(())
/// ```
///
/// # References
///
/// Garipov et al. 2018, *Loss Surfaces, Mode Connectivity, and Fast Ensembling of DNNs*,
/// arXiv:1802.10026
#[derive(Debug, Clone)]
pub struct FastGeometricEnsemble {
    high: LearningRate,
    low: LearningRate,
    cycle: usize,
    step: usize,
}

impl FastGeometricEnsemble {
    /// The schedule with cycles of `cycle` steps, an even number.
    ///
    /// # Errors
    ///
    /// [`PathError::OutOfRange`].
    pub fn new(high: LearningRate, low: LearningRate, cycle: usize) -> Result<Self, PathError> {
        ensure("low", low, 0.0..)?;
        ensure("high", high, (Bound::Excluded(low), Bound::Unbounded))?;
        if cycle < 2 || !cycle.is_multiple_of(2) {
            let expected = "an even number of steps, 2 or more";
            return Err(OutOfRange::new("cycle", cycle as f64, expected).into());
        }
        Ok(Self {
            high,
            low,
            cycle,
            step: 0,
        })
    }

    /// Whether the last step had the lowest rate of its cycle.
    pub fn is_lowest(&self) -> bool {
        self.step % self.cycle == self.cycle / 2
    }
}

impl LrScheduler for FastGeometricEnsemble {
    fn step(&mut self) -> LearningRate {
        self.step += 1;
        let s = ((self.step - 1) % self.cycle + 1) as f64 / self.cycle as f64;
        if s <= 0.5 {
            (1.0 - 2.0 * s) * self.high + 2.0 * s * self.low
        } else {
            (2.0 - 2.0 * s) * self.low + (2.0 * s - 1.0) * self.high
        }
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new().with_scalar("step", self.step as u64)
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        if let Some(step) = record.scalar::<u64>("step") {
            self.step = step as usize;
        }
    }
}
