use super::TailEstimator;
use super::blocks::{Moments, mean};
use super::tail_estimator::inverse_of_variance;

/// What the estimator gives for all coordinates as one sample, as in Şimşekli et al. 2019: only to warn of it.
///
/// The coordinates of one example stand next to each other, and their sums are those of neighbors.
pub(super) struct Pooled {
    estimator: TailEstimator,
    num_coordinates: usize,
    added: usize,
    /// Sums of so many neighbors each; none for the log-variance.
    sums: Vec<f64>,
    logs: Moments,
}

impl Pooled {
    pub(super) fn new(
        estimator: TailEstimator,
        num_coordinates: usize,
        num_samples: usize,
    ) -> Self {
        let sums = match estimator {
            TailEstimator::Mohammadi { sums_of } => num_coordinates * num_samples / sums_of,
            TailEstimator::LogVariance => 0,
        };
        Self {
            estimator,
            num_coordinates,
            added: 0,
            sums: vec![0.0; sums],
            logs: Moments::default(),
        }
    }

    /// Adds the next coordinate, whose samples are in `unit`.
    pub(super) fn add(&mut self, samples: &[f64], unit: f64) {
        for (example, x) in samples.iter().enumerate() {
            let x = unit * x;
            if let TailEstimator::Mohammadi { sums_of } = self.estimator {
                let place = (example * self.num_coordinates + self.added) / sums_of;
                match self.sums.get_mut(place) {
                    Some(sum) => *sum += x,
                    // What is left over fills no sum.
                    None => break,
                }
            }
            self.logs.add(x.abs().ln());
        }
        self.added += 1;
    }

    /// `1/α` or `1/α²`, as the estimator has it.
    pub(super) fn inverse(&self) -> f64 {
        match self.estimator {
            TailEstimator::Mohammadi { sums_of } => {
                let logs: Vec<f64> = self.sums.iter().map(|sum| sum.abs().ln()).collect();
                (mean(&logs) - self.logs.mean()) / (sums_of as f64).ln()
            }
            TailEstimator::LogVariance => {
                let center = self.logs.mean();
                let variance = self.logs.squares / self.logs.count - center * center;
                inverse_of_variance(variance)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::space::stream;

    const DRAWS: u64 = 50;
    const COORDINATES: usize = 100;
    const EXAMPLES: usize = 100;

    fn normal(rng: &mut StdRng, count: usize) -> Vec<f64> {
        StandardNormal.sample_iter(rng).take(count).collect()
    }

    /// The mean pooled index of Gaussian rows with log-normal scales, and of Gaussian noise with the measured ones.
    fn pooled(estimator: TailEstimator) -> [f64; 2] {
        let mut means = [0.0; 2];
        for draw in 0..DRAWS {
            let mut rng = stream(0, draw);
            let scales = normal(&mut rng, COORDINATES);
            let mut both = [(); 2].map(|()| Pooled::new(estimator, COORDINATES, EXAMPLES));
            for scale in scales.iter().map(|z| (1.5 * z).exp()) {
                let samples = normal(&mut rng, EXAMPLES);
                let center = mean(&samples);
                let samples: Vec<f64> = samples.iter().map(|x| x - center).collect();
                let squares: f64 = samples.iter().map(|x| x * x).sum();
                let deviation = (squares / (EXAMPLES - 1) as f64).sqrt();
                both[0].add(&samples, scale);
                both[1].add(&normal(&mut rng, EXAMPLES), scale * deviation);
            }
            for (mean, pooled) in means.iter_mut().zip(&both) {
                *mean += estimator.alpha(pooled.inverse()) / DRAWS as f64;
            }
        }
        means
    }

    #[test]
    fn pooled_gaussian_rows_look_heavy_and_so_does_their_null() {
        let [rows, null] = pooled(TailEstimator::Mohammadi { sums_of: 100 });
        // The spread of one draw of the scales is 0.11.
        let tolerance = 3.0 * 0.11 / (DRAWS as f64).sqrt();
        assert!((rows - 1.08).abs() < tolerance, "{rows}");
        assert!((null - 1.10).abs() < tolerance, "{null}");
    }

    #[test]
    fn pooled_logarithms_have_the_variance_of_the_scales_as_well() {
        let [rows, null] = pooled(TailEstimator::LogVariance);
        // π²/8 of the Gaussian law, and 1.5² of the scales.
        let expected = inverse_of_variance(std::f64::consts::PI.powi(2) / 8.0 + 2.25);
        let expected = expected.sqrt().recip();
        for found in [rows, null] {
            assert!((found - expected).abs() < 0.05, "{found} {expected}");
        }
    }

    #[test]
    fn sums_are_those_of_neighbors_of_one_example() {
        let mut pooled = Pooled::new(TailEstimator::Mohammadi { sums_of: 2 }, 3, 3);
        for samples in [[1.0, 2.0, 3.0], [10.0, 20.0, 30.0], [100.0, 200.0, 300.0]] {
            pooled.add(&samples, 1.0);
        }
        assert_eq!(pooled.sums, [11.0, 102.0, 220.0, 33.0]);
        assert_eq!(pooled.logs.count, 8.0);
    }
}
