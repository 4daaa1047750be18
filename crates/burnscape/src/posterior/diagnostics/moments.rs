/// The mean, and the variance with divisor `n − 1`: NaN for a single value. The moments of equal numbers are exact.
pub(super) fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let origin = values.clone().next().unwrap_or(f64::NAN);
    let (mut count, mut sum) = (0.0, 0.0);
    for x in values.clone() {
        count += 1.0;
        sum += x - origin;
    }
    let mean = origin + sum / count;
    let squares: f64 = values.map(|x| (x - mean) * (x - mean)).sum();
    (mean, squares / (count - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_equal_numbers_are_exact() {
        let of = |values: &[f64]| moments(values.iter().copied());
        assert_eq!(of(&[0.1; 21]), (0.1, 0.0));
        assert_eq!(of(&[1.0, 2.0, 6.0]), (3.0, 7.0));
        assert_eq!(of(&[2.0]).0, 2.0);
        assert!(of(&[2.0]).1.is_nan());
    }
}
