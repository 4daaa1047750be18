//! Numbers as text.

/// With so many decimals, and a true minus.
pub(super) fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.bytes().any(|b| (b'1'..=b'9').contains(&b)) => format!("−{digits}"),
        Some(digits) => digits.to_owned(),
        None => text,
    }
}

/// The exponent of the first digit.
pub(super) fn exponent(value: f64) -> i32 {
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    value.abs().log10().floor() as i32
}

/// `10ⁿ`.
pub(super) fn power(exponent: i32) -> String {
    format!("10{}", superscript(exponent))
}

fn superscript(number: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let raised = |c: char| match c.to_digit(10) {
        Some(digit) => DIGITS[digit as usize],
        None => '⁻',
    };
    number.to_string().chars().map(raised).collect()
}

/// With so many significant digits; as a power of ten where the number is very large or very small.
pub(super) fn significant(value: f64, digits: usize) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    let digits = digits.clamp(1, 15);
    let exponent = rounded_exponent(value, digits);
    if (-4..6).contains(&exponent) {
        return fixed(value, (digits as i32 - 1 - exponent).max(0) as usize);
    }
    let text = format!("{value:.*e}", digits - 1);
    let (mantissa, _) = text.split_once('e').unwrap_or((&text, ""));
    let mantissa = mantissa.replace('-', "−");
    format!("{mantissa}×{}", power(exponent))
}

/// The exponent after rounding: that of 0.9996 with three digits is 0.
fn rounded_exponent(value: f64, digits: usize) -> i32 {
    let text = format!("{value:.*e}", digits - 1);
    text.split_once('e')
        .and_then(|(_, exponent)| exponent.parse().ok())
        .unwrap_or(0)
}

/// `value ± error`, both as exact as two digits of the error.
pub(super) fn with_error(value: f64, error: Option<f64>) -> String {
    let Some(error) = error.filter(|error| error.is_finite() && *error > 0.0) else {
        return match error {
            Some(error) if value.is_finite() => format!("{} ± {}", short(value), short(error)),
            _ => short(value),
        };
    };
    if !value.is_finite() {
        return short(value);
    }
    let last = rounded_exponent(error, 2) - 1;
    let first = rounded_exponent(value, 3).max(last);
    if first < 6 && last > -7 {
        let decimals = (-last).max(0) as usize;
        return format!("{} ± {}", fixed(value, decimals), fixed(error, decimals));
    }
    // Both in the unit of the larger one.
    let unit = first.max(last + 1).clamp(-300, 300);
    let scale = 10_f64.powi(unit);
    let decimals = (unit - last).clamp(0, 12) as usize;
    format!(
        "({} ± {})×{}",
        fixed(value / scale, decimals),
        fixed(error / scale, decimals),
        power(unit)
    )
}

/// Four digits without trailing zeros.
pub(super) fn short(value: f64) -> String {
    trimmed(value, 4)
}

/// With so many significant digits, without trailing zeros.
pub(super) fn trimmed(value: f64, digits: usize) -> String {
    let text = significant(value, digits);
    match text.split_once('×') {
        Some((mantissa, power)) => format!("{}×{power}", without_zeros(mantissa)),
        None => without_zeros(&text).to_owned(),
    }
}

fn without_zeros(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(fixed(-0.001, 2), "0.00");
        assert_eq!(fixed(-1.5, 1), "−1.5");
        assert_eq!(power(-12), "10⁻¹²");
        assert_eq!(short(0.25), "0.25");
        assert_eq!(short(120.0), "120");
        assert_eq!(short(1.5e-7), "1.5×10⁻⁷");
        assert_eq!(short(f64::MAX), "1.798×10³⁰⁸");
        assert_eq!(short(5e-324), "4.941×10⁻³²⁴");
        assert_eq!(short(f64::NEG_INFINITY), "−∞");
        assert_eq!(significant(999_999.6, 3), "1.00×10⁶");
    }

    #[test]
    fn errors_set_the_digits() {
        assert_eq!(with_error(24.912, Some(0.8)), "24.91 ± 0.80");
        assert_eq!(with_error(81.4, Some(12.3)), "81 ± 12");
        assert_eq!(with_error(8.14e9, Some(2.0e8)), "(8.14 ± 0.20)×10⁹");
        assert_eq!(with_error(3.0e-9, Some(1.0e-10)), "(3.00 ± 0.10)×10⁻⁹");
        assert_eq!(with_error(2.0, None), "2");
        assert_eq!(with_error(f64::NAN, Some(1.0)), "NaN");
        assert_eq!(with_error(2.0, Some(0.0)), "2 ± 0");
        assert_eq!(with_error(0.0, Some(0.5)), "0.00 ± 0.50");
        assert_eq!(with_error(2.0, Some(f64::INFINITY)), "2 ± ∞");
    }
}
