//! Numbers as people read them.

/// A number with four significant digits; below 0.001 and above 100,000 with an exponent.
pub(crate) fn significant(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 {
        return "0".to_string();
    }
    if !value.is_finite() {
        return value.to_string();
    }
    let text = format!("{value:.3e}");
    if !(1e-3..=1e5).contains(&magnitude) {
        return text;
    }
    let exponent = text.split_once('e').and_then(|(_, e)| e.parse().ok());
    let decimals = (3 - exponent.unwrap_or(0_i32)).max(0) as usize;
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1.000"),
            (-12.345_67, "-12.35"),
            (9.999_96, "10.00"),
            (0.001, "0.001000"),
            (0.012_345_6, "0.01235"),
            (12_345.6, "12346"),
            (1e5, "100000"),
            (123_456.0, "1.235e5"),
            (0.000_999, "9.990e-4"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(significant(value), expected);
        }
    }
}
