//! Means with their errors, in f64 on the host.

/// The arithmetic mean. Callers have at least one value.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The standard deviation with divisor `n - 1`; none for a single value, which tells nothing.
pub(super) fn standard_deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let center = mean(values);
    let squares: f64 = values.iter().map(|value| (value - center).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// The standard error of the mean of independent values.
pub(super) fn standard_error(values: &[f64]) -> Option<f64> {
    Some(standard_deviation(values)? / (values.len() as f64).sqrt())
}

/// The `q`-quantile of ascending values, linear between order statistics (type 7 of Hyndman and
/// Fan 1996, the default of NumPy and R).
pub(super) fn quantile(ascending: &[f64], q: f64) -> f64 {
    let position = q * (ascending.len() - 1) as f64;
    let below = position.floor();
    let weight = position - below;
    let low = ascending[below as usize];
    let high = ascending[position.ceil() as usize];
    low + weight * (high - low)
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
    }

    #[test]
    fn quantiles_run_from_the_smallest_to_the_largest_value() {
        let values = [1.0, 2.0, 4.0];
        assert_eq!(quantile(&values, 0.0), 1.0);
        assert_eq!(quantile(&values, 0.5), 2.0);
        assert_eq!(quantile(&values, 0.75), 3.0);
        assert_eq!(quantile(&values, 1.0), 4.0);
        assert_eq!(quantile(&[3.0], 0.3), 3.0);
    }
}
