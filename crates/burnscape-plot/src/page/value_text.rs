//! Values of tables as text.

/// `value` and `± error`, both as exact as two digits of the error; four digits without one.
pub(super) fn with_error(value: f64, error: Option<f64>) -> (String, String) {
    let Some(error) = error.filter(|_| value.is_finite()) else {
        return (short(value), String::new());
    };
    // An error that is none, or far below the digits that one reads.
    if !error.is_finite() || error <= 0.0 || exponent(value, 4) - exponent(error, 2) > 8 {
        return (short(value), format!("± {}", short(error)));
    }
    let digits = 1 - exponent(error, 2);
    if digits <= 6 && value.abs().max(error) < 1e6 {
        return (text(value, digits), format!("± {}", text(error, digits)));
    }
    // Both in the power of ten of the larger one.
    let power = exponent(value.abs().max(error), 4).clamp(-300, 307);
    let scaled = |number: f64| {
        text(
            number / 10_f64.powi(power),
            digits.saturating_add(power).clamp(0, 9),
        )
    };
    (
        format!("({}", scaled(value)),
        format!("± {}) × 10{}", scaled(error), superscript(power)),
    )
}

/// Four digits without trailing zeros.
fn short(value: f64) -> String {
    let text = text(value, 3 - exponent(value, 4));
    let (number, power) = text.split_once(' ').unwrap_or((&text, ""));
    let number = if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    };
    if !value.is_finite() {
        text
    } else if power.is_empty() {
        number.to_owned()
    } else {
        format!("{number} {power}")
    }
}

fn text(value: f64, decimals: i32) -> String {
    if value.is_nan() {
        return "not a number".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    let text = if (0..=8).contains(&decimals) || (value.abs() < 1e6 && decimals < 0) {
        format!("{value:.*}", decimals.max(0) as usize)
    } else {
        let text = format!("{value:.3e}");
        let mantissa = text.split_once('e').map_or("", |(mantissa, _)| mantissa);
        format!("{mantissa} × 10{}", superscript(exponent(value, 4)))
    };
    let is_zero = !text.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    if is_zero {
        text.replace('-', "")
    } else {
        text.replace('-', "−")
    }
}

/// The exponent of the first of so many digits, after rounding.
fn exponent(value: f64, digits: usize) -> i32 {
    let text = format!("{value:.*e}", digits - 1);
    text.split_once('e')
        .and_then(|(_, exponent)| exponent.parse().ok())
        .unwrap_or(0)
}

fn superscript(number: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let raised = |c: char| c.to_digit(10).map_or('⁻', |digit| DIGITS[digit as usize]);
    number.to_string().chars().map(raised).collect()
}

#[cfg(test)]
mod tests {
    use super::with_error;

    #[test]
    fn errors_set_the_digits() {
        let text = |value, error| {
            let (value, error) = with_error(value, error);
            format!("{value} {error}").trim_end().to_owned()
        };
        assert_eq!(text(61.83, Some(1.94)), "61.8 ± 1.9");
        assert_eq!(text(412.3, Some(23.4)), "412 ± 23");
        assert_eq!(text(0.0132, Some(0.0009)), "0.01320 ± 0.00090");
        assert_eq!(text(-0.271, None), "−0.271");
        assert_eq!(text(0.0, None), "0");
        assert_eq!(text(120.0, None), "120");
        assert_eq!(text(123_456.0, None), "123456");
        assert_eq!(text(1.5e-9, None), "1.5 × 10⁻⁹");
        assert_eq!(text(8.14e9, Some(2.0e8)), "(8.14 ± 0.20) × 10⁹");
        assert_eq!(text(f64::MAX, None), "1.798 × 10³⁰⁸");
        assert_eq!(text(5e-324, None), "4.941 × 10⁻³²⁴");
        assert_eq!(text(1e308, Some(2.0)), "1 × 10³⁰⁸ ± 2");
        assert_eq!(text(3.0, Some(0.0)), "3 ± 0");
        assert_eq!(text(f64::NAN, Some(1.0)), "not a number");
        assert_eq!(text(f64::INFINITY, None), "∞");
        assert_eq!(text(2.0, Some(f64::INFINITY)), "2 ± ∞");
        assert_eq!(text(5e-324, Some(1e300)), "(0.0 ± 1.0) × 10³⁰⁰");
    }
}
