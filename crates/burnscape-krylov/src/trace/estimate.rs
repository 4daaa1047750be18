use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::vector::length;

/// A mean over independent samples, and how far it may be off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub value: f64,
    /// The standard deviation of the mean, from the spread of the samples; none for a single one.
    pub standard_error: Option<f64>,
    /// Number of samples.
    pub samples: usize,
}

impl Estimate {
    /// The mean of samples. Not a number if there are none.
    pub fn of(samples: &[f64]) -> Self {
        let count = samples.len();
        // A share each, where the sum would overflow.
        let value = match samples.iter().sum::<f64>() {
            sum if sum.is_infinite() => samples.iter().map(|x| x / count as f64).sum(),
            sum => sum / count as f64,
        };
        let standard_error = (count > 1).then(|| {
            let spread = length(samples.iter().map(|x| x - value));
            spread / ((count - 1) as f64 * count as f64).sqrt()
        });
        Self {
            value,
            standard_error,
            samples: count,
        }
    }

    /// Half the width of the interval that covers the true mean with probability `confidence`, by
    /// Student's t; none for a single sample, or a confidence outside `(0, 1)`.
    pub fn half_width(&self, confidence: f64) -> Option<f64> {
        let error = self.standard_error?;
        if !(confidence > 0.0 && confidence < 1.0) {
            return None;
        }
        let law = StudentsT::new(0.0, 1.0, (self.samples - 1) as f64).ok()?;
        Some(law.inverse_cdf(0.5 + confidence / 2.0) * error)
    }
}
