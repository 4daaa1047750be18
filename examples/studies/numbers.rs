//! Numbers as text.

/// The largest number that is written without a power of ten.
const LARGEST: f64 = 1e6;
/// The smallest.
const SMALLEST: f64 = 1e-3;
/// Digits after the point at most.
const MOST_DECIMALS: i32 = 9;

/// A number to four digits, or all of a whole number.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if value.is_nan() {
        return "nothing".to_string();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "-∞" }.to_string();
    }
    if size < LARGEST && value == value.round() {
        // Zero has no sign.
        return format!("{:.0}", value + 0.0);
    }
    if (SMALLEST..LARGEST).contains(&size) {
        let decimals = (3 - exponent(size)).clamp(0, MOST_DECIMALS) as usize;
        return format!("{value:.decimals$}");
    }
    format!("{value:.3e}")
}

/// A mean with its standard error, both to two digits of the error.
pub(crate) fn with_error(mean: f64, error: Option<f64>) -> String {
    let Some(error) = error.filter(|error| error.is_finite()) else {
        return number(mean);
    };
    if error == 0.0 {
        return format!("{} ± 0", number(mean));
    }
    let decimals = 1 - exponent(error);
    let size = mean.abs().max(error);
    if (SMALLEST..LARGEST).contains(&size) {
        let decimals = decimals.clamp(0, MOST_DECIMALS) as usize;
        return format!("{mean:.decimals$} ± {error:.decimals$}");
    }
    let power = exponent(size);
    let decimals = (decimals + power).clamp(0, MOST_DECIMALS) as usize;
    let [mean, error] = [mean, error].map(|value| value / 10_f64.powi(power));
    format!("({mean:.decimals$} ± {error:.decimals$})e{power}")
}

/// To the digits in which `tolerance` shows.
pub(crate) fn to_tolerance(value: f64, tolerance: f64) -> String {
    if !value.is_finite() || !tolerance.is_normal() {
        return number(value);
    }
    let decimals = (-exponent(tolerance)).clamp(0, MOST_DECIMALS) as usize;
    format!("{value:.decimals$}")
}

/// The power of ten of the first digit.
fn exponent(value: f64) -> i32 {
    value.abs().log10().floor() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (145.0, "145"),
            (-12.0, "-12"),
            (0.98341, "0.9834"),
            (95.61258, "95.61"),
            (12345.67, "12346"),
            (2.5e-9, "2.500e-9"),
            (3e8, "3.000e8"),
            (f64::NAN, "nothing"),
            (f64::NEG_INFINITY, "-∞"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn means_have_the_digits_of_their_errors() {
        for (mean, error, text) in [
            (0.98341, Some(0.00089), "0.98341 ± 0.00089"),
            (141.2, Some(59.3), "141 ± 59"),
            (1.5, Some(120.0), "2 ± 120"),
            (-0.25, Some(0.0), "-0.2500 ± 0"),
            (0.98341, None, "0.9834"),
            (1.3e-9, Some(2e-10), "(1.30 ± 0.20)e-9"),
            (4e6, Some(1e6), "(4.0 ± 1.0)e6"),
        ] {
            assert_eq!(with_error(mean, error), text);
        }
    }

    #[test]
    fn tolerances_decide_the_digits() {
        assert_eq!(to_tolerance(1.316_227_8, 1e-6), "1.316228");
        assert_eq!(to_tolerance(145.0, 0.5), "145.0");
        assert_eq!(to_tolerance(f64::NAN, 1e-6), "nothing");
    }
}
