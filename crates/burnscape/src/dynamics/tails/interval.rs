use burnscape_krylov::Estimate;

/// A mean and the interval around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interval {
    pub(super) mean: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Interval {
    /// The interval that covers the mean of independent values with a probability: equal-tailed, by Hall's
    /// transformation of the studentized mean, which removes its skewness.
    ///
    /// Values of heavy-tailed samples are skew: Student's interval at `α = 1.5` lies above `α` three times as often as below.
    pub(super) fn of_mean(values: &[f64], confidence: f64) -> Self {
        let estimate = Estimate::of(values);
        let mean = estimate.value;
        // Half of Student's interval for a standard error of one.
        let one = Estimate {
            value: 0.0,
            standard_error: Some(1.0),
            skewness: 0.0,
            samples: values.len(),
        };
        let (Some(error), Some(t)) = (estimate.standard_error, one.half_width(confidence)) else {
            return Self {
                mean,
                low: f64::NEG_INFINITY,
                high: f64::INFINITY,
            };
        };
        let a = estimate.skewness / (values.len() as f64).sqrt();
        // The `T` with `T + a T² / 3 + a² T³ / 27 + a / 6 = end`, in a form without cancellation.
        let studentized = |end: f64| {
            let shifted = end - a / 6.0;
            let c = (1.0 + a * shifted).cbrt();
            3.0 * shifted / (1.0 + c + c * c)
        };
        Self {
            mean,
            low: mean - studentized(t) * error,
            high: mean - studentized(-t) * error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symmetric_values_have_students_interval() {
        let found = Interval::of_mean(&[-2.0, -1.0, 0.0, 1.0, 2.0], 0.95);
        // t with four degrees of freedom is 2.776445, and the standard error √(10 / 20).
        let half = 2.776_445_105 * 0.5_f64.sqrt();
        assert!(found.mean.abs() < 1e-15);
        assert!((found.high - half).abs() < 1e-8 && (found.low + half).abs() < 1e-8);
    }

    #[test]
    fn skew_values_have_more_room_on_the_side_of_their_tail() {
        let values = [0.0, 0.1, 0.2, 0.3, 0.4, 3.0];
        let found = Interval::of_mean(&values, 0.95);
        assert!(found.high - found.mean > found.mean - found.low);
        let negative = values.map(|x| -x);
        let mirrored = Interval::of_mean(&negative, 0.95);
        assert!((mirrored.low + found.high).abs() < 1e-12);
        assert!((mirrored.high + found.low).abs() < 1e-12);
        // The ends are where the transformation is Student's point.
        let estimate = Estimate::of(&values);
        let a = estimate.skewness / 6.0_f64.sqrt();
        for (end, t) in [(found.low, 2.570_581_836), (found.high, -2.570_581_836)] {
            let s = (found.mean - end) / estimate.standard_error.unwrap();
            let transformed = s + a * s * s / 3.0 + a * a * s.powi(3) / 27.0 + a / 6.0;
            assert!((transformed - t).abs() < 1e-7, "{transformed}");
        }
    }

    #[test]
    fn one_value_has_no_interval() {
        let found = Interval::of_mean(&[1.0], 0.95);
        assert_eq!((found.low, found.high), (f64::NEG_INFINITY, f64::INFINITY));
    }
}
