//! Means over seeds, and how well they are known.

use serde::Serialize;

/// A mean over seeds and its standard error (none with one seed).
#[derive(Serialize, Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) mean: f64,
    pub(crate) standard_error: Option<f64>,
}

impl Estimate {
    /// The mean, and the standard deviation (divisor `n − 1`) over the root of `n`.
    pub(crate) fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let standard_error = (values.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt());
        Self {
            mean,
            standard_error,
        }
    }
}

/// Two-sided 95 % points of Student's t for 1 to 30 degrees of freedom.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// How many standard errors a mean of `count` differences must be away from zero to be clear. Past
/// the table its last entry is used, which is slightly too strict.
pub(crate) fn clear_beyond(count: usize) -> Option<f64> {
    let freedom = count.checked_sub(2)?;
    Some(STUDENT[freedom.min(STUDENT.len() - 1)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_error_divides_by_n_minus_one_and_by_the_root_of_n() {
        let estimate = Estimate::of(&[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(estimate.mean, 2.5);
        let expected = (5.0_f64 / 3.0 / 4.0).sqrt();
        assert!((estimate.standard_error.unwrap() - expected).abs() < 1e-15);
    }

    #[test]
    fn one_seed_has_no_error_and_no_clear_difference() {
        assert_eq!(Estimate::of(&[7.0]).standard_error, None);
        assert_eq!(clear_beyond(1), None);
        assert_eq!(clear_beyond(3), Some(4.303));
        assert_eq!(clear_beyond(1000), Some(2.042));
    }
}
