/// A number with six digits.
pub(super) fn short(value: f64) -> String {
    let rounded: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    let size = rounded.abs();
    if size == 0.0 || (1e-4..1e15).contains(&size) || !size.is_finite() {
        // Without the sign of zero.
        format!("{}", rounded + 0.0)
    } else {
        format!("{rounded:e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_six_digits() {
        let shown = [-0.0, 0.1 + 0.2, -1.029_809_7, 12_345_678.0, 1.234e-7, 5e20].map(short);
        assert_eq!(
            shown,
            ["0", "0.3", "-1.02981", "12345700", "1.234e-7", "5e20"]
        );
        let shown = [f64::NEG_INFINITY, f64::NAN].map(short);
        assert_eq!(shown, ["-inf", "NaN"]);
    }
}
