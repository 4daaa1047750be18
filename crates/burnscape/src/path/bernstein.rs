//! Bernstein polynomials.

/// `B_i(t) = C(n, i) tⁱ (1 − t)ⁿ⁻ⁱ` for `i = 0..=n`, by the recurrence in `n`: only sums of
/// non-negative products, so that each is accurate to a few units in the last place at any degree.
pub(super) fn bernstein(degree: usize, t: f64) -> Vec<f64> {
    let mut values = vec![0.0; degree + 1];
    values[0] = 1.0;
    for n in 1..=degree {
        for i in (0..=n).rev() {
            let left = if i > 0 { values[i - 1] } else { 0.0 };
            values[i] = t * left + (1.0 - t) * values[i];
        }
    }
    values
}

/// `B_i'(t) = n (B_{i−1}(t) − B_i(t))`, with the polynomials of degree `n − 1`, for `n` of 1 or more.
pub(super) fn bernstein_slopes(degree: usize, t: f64) -> Vec<f64> {
    let lower = bernstein(degree - 1, t);
    let n = degree as f64;
    let at = |index: Option<usize>| index.and_then(|index| lower.get(index)).unwrap_or(&0.0);
    (0..=degree)
        .map(|i| n * (at(i.checked_sub(1)) - at(Some(i))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quadratic_polynomials_are_the_textbook_ones() {
        assert_eq!(bernstein(2, 0.25), [0.5625, 0.375, 0.0625]);
        assert_eq!(bernstein_slopes(2, 0.25), [-1.5, 1.0, 0.5]);
        assert_eq!(bernstein(3, 0.0), [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(bernstein(3, 1.0), [0.0, 0.0, 0.0, 1.0]);
    }
}
