//! Medians, quantiles and maxima of numbers on the host.

/// The `q`-quantile of ascending values, linear between order statistics (type 7 of Hyndman and Fan 1996, the default of
/// NumPy and R). Callers have at least one value.
pub(crate) fn quantile(ascending: &[f64], q: f64) -> f64 {
    let position = q * (ascending.len() - 1) as f64;
    let below = position.floor();
    let weight = position - below;
    let low = ascending[below as usize];
    let high = ascending[position.ceil() as usize];
    low + weight * (high - low)
}

/// The largest of `least` and the values. NaN if one of them is NaN, which `f64::max` would leave out.
pub(crate) fn largest(least: f64, values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(least, |largest, value| {
        if value.is_nan() || value > largest {
            value
        } else {
            largest
        }
    })
}

/// The median; none without numbers.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut ascending = values.to_vec();
    ascending.sort_by(f64::total_cmp);
    let middle = ascending.len() / 2;
    let upper = *ascending.get(middle)?;
    match middle
        .checked_sub(1)
        .filter(|_| ascending.len().is_multiple_of(2))
    {
        Some(lower) => Some(0.5 * ascending[lower] + 0.5 * upper),
        None => Some(upper),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maximum_of_a_nan_is_nan() {
        assert_eq!(largest(0.0, [-1.0, 2.0, 1.0]), 2.0);
        assert_eq!(largest(0.0, [-1.0]), 0.0);
        assert!(largest(0.0, [1.0, f64::NAN, 2.0]).is_nan());
        assert!(largest(0.0, [f64::NAN, f64::INFINITY]).is_nan());
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

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_both() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[5.0, 1.0]), Some(3.0));
        assert_eq!(median(&[5.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 8.0, 1.0, 2.0]), Some(3.0));
        assert_eq!(median(&[f64::INFINITY, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[f64::MAX, f64::MAX]), Some(f64::MAX));
    }
}
