use burn::optim::LearningRate;
use burn::optim::lr_scheduler::{LrScheduler, LrSchedulerRecord};

use super::PathError;
use crate::range::{POSITIVE, ensure};

/// The learning rate of Garipov et al. 2018 for curves and for SWA: constant for the first half of
/// the steps, then falling linearly to a hundredth at 90 %, then constant.
///
/// For SWA, set another final rate, for instance [`with_final_fraction`](Self::with_final_fraction) 0.5
/// (Izmailov et al. 2018), and average from three quarters of the steps with [`Swa`](crate::optim::Swa).
///
/// # Example
///
/// ```
/// use burn::optim::lr_scheduler::LrScheduler;
/// use burnscape::path::GaripovLrScheduler;
///
/// let mut schedule = GaripovLrScheduler::new(0.1, 100)?;
/// let rates: Vec<f64> = (0..100).map(|_| schedule.step()).collect();
/// assert_eq!(rates[49], 0.1);
/// assert!((rates[70] - 0.0505).abs() < 1e-12); // half-way down
/// assert!((rates[95] - 0.001).abs() < 1e-12);
/// # Ok::<(), burnscape::path::PathError>(())
/// ```
///
/// # References
///
/// Garipov et al. 2018, arXiv:1802.10026; Izmailov et al. 2018, *Averaging Weights Leads
/// to Wider Optima and Better Generalization*, arXiv:1803.05407
#[derive(Debug, Clone)]
pub struct GaripovLrScheduler {
    initial: LearningRate,
    final_fraction: f64,
    num_steps: usize,
    step: usize,
}

impl GaripovLrScheduler {
    /// The schedule for a run of `num_steps` steps.
    ///
    /// # Errors
    ///
    /// [`PathError::OutOfRange`].
    pub fn new(initial: LearningRate, num_steps: usize) -> Result<Self, PathError> {
        ensure("initial", initial, POSITIVE)?;
        ensure("num_steps", num_steps as f64, 1.0..)?;
        Ok(Self {
            initial,
            final_fraction: 0.01,
            num_steps,
            step: 0,
        })
    }

    /// The last rate as a fraction of the first.
    ///
    /// # Errors
    ///
    /// [`PathError::OutOfRange`].
    pub fn with_final_fraction(mut self, fraction: f64) -> Result<Self, PathError> {
        ensure("final_fraction", fraction, 0.0..=1.0)?;
        self.final_fraction = fraction;
        Ok(self)
    }
}

impl LrScheduler for GaripovLrScheduler {
    fn step(&mut self) -> LearningRate {
        let share = self.step as f64 / self.num_steps as f64;
        self.step += 1;
        let fall = ((share - 0.5) / 0.4).clamp(0.0, 1.0);
        self.initial * (1.0 - fall * (1.0 - self.final_fraction))
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
