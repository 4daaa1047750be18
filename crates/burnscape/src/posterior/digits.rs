//! Numbers as they are printed.

/// Four significant digits, without zeros at the end.
pub(super) fn short(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() || size == 0.0 {
        return value.to_string();
    }
    if !(1e-4..1e6).contains(&size) {
        return format!("{value:.2e}");
    }
    let decimals = (3 - exponent(size)).max(0) as usize;
    let text = format!("{value:.decimals$}");
    if decimals == 0 {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// A number with its standard error, both to the second digit of the error.
pub(super) fn with_error(value: f64, error: f64) -> String {
    if !(1e-12..1e9).contains(&error) {
        return format!("{} ± {}", short(value), short(error));
    }
    let decimals = (1 - exponent(error)).max(0) as usize;
    format!("{value:.decimals$} ± {error:.decimals$}")
}

/// A share, in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", short(1e2 * share))
}

/// The smallest and the largest of some numbers, or the only one.
pub(super) fn span(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let [least, most] = [least, most].map(short);
    if least == most {
        least
    } else {
        format!("{least} to {most}")
    }
}

/// The power of ten of the first digit.
fn exponent(size: f64) -> i32 {
    size.log10().floor() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits() {
        let texts = [
            (0.0, "0"),
            (1.0, "1"),
            (144.764827, "144.8"),
            (0.1447648, "0.1448"),
            (-0.00012341, "-0.0001234"),
            (1000.0, "1000"),
            (123456.0, "123456"),
            (2.5e-7, "2.50e-7"),
            (f64::INFINITY, "inf"),
        ];
        for (value, text) in texts {
            assert_eq!(short(value), text);
        }
        assert_eq!(percent(0.1), "10 %");
        assert_eq!(percent(0.0123), "1.23 %");
        assert_eq!(span(&[0.25, 0.25]), "0.25");
        assert_eq!(span(&[0.5, 0.25, 1.0]), "0.25 to 1");
    }

    #[test]
    fn a_number_ends_where_its_error_does() {
        assert_eq!(with_error(1.441761, 0.0083), "1.4418 ± 0.0083");
        assert_eq!(with_error(1.441761, 0.12), "1.44 ± 0.12");
        assert_eq!(with_error(12345.6, 250.0), "12346 ± 250");
        assert_eq!(with_error(1.5, 0.0), "1.5 ± 0");
        assert_eq!(with_error(1.5, f64::INFINITY), "1.5 ± inf");
    }
}
