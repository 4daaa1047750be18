//! Means with their errors, in f64 on the host.

pub(super) use crate::order_statistics::quantile;
use crate::space::Wide;

/// The arithmetic mean. Callers have at least one value.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The standard deviation with divisor `n − 1`; none for a single value.
fn standard_deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let center = mean(values);
    let deviations = values.iter().map(|value| Wide::from(value - center));
    let squares: Wide = deviations.map(|deviation| deviation * deviation).sum();
    let count = Wide::from((values.len() - 1) as f64);
    Some((squares / count).sqrt().value())
}

/// The standard error of the mean of independent values.
pub(super) fn standard_error(values: &[f64]) -> Option<f64> {
    Some(standard_deviation(values)? / (values.len() as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_one_to_four_is_that_of_the_textbook() {
        let values = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(mean(&values), 2.5);
        let error = standard_error(&values).unwrap();
        assert!((error - (5.0_f64 / 3.0).sqrt() / 2.0).abs() < 1e-15);
        assert_eq!(standard_error(&[1.0]), None);
        let small = values.map(|value| value * 2.0_f64.powi(-900));
        assert_eq!(standard_error(&small), Some(error * 2.0_f64.powi(-900)));
    }
}
