use super::TailEstimator;
use super::pooled::Pooled;

/// What the estimator gives for several coordinates: averages of its values, and beside them the pooled estimate.
pub(super) struct Averaged {
    estimator: TailEstimator,
    num_coordinates: usize,
    /// For each block of examples, the mean over the coordinates. Coordinates of one example depend on each other, and
    /// blocks do not.
    pub(super) values: Vec<f64>,
    pub(super) pooled: Pooled,
}

impl Averaged {
    pub(super) fn new(
        estimator: TailEstimator,
        num_coordinates: usize,
        num_samples: usize,
    ) -> Self {
        Self {
            estimator,
            num_coordinates,
            values: vec![0.0; estimator.num_blocks(num_samples)],
            pooled: Pooled::new(estimator, num_coordinates, num_samples),
        }
    }

    /// Adds the next coordinate, whose samples are in `unit`.
    pub(super) fn add(&mut self, samples: &[f64], unit: f64) {
        let share = 1.0 / self.num_coordinates as f64;
        let values = self.estimator.block_values(samples);
        for (mean, value) in self.values.iter_mut().zip(values) {
            *mean += share * value;
        }
        // A single coordinate has nothing to pool.
        if self.num_coordinates > 1 {
            self.pooled.add(samples, unit);
        }
    }
}
