//! Numbers with as many digits as the page shows.

use serde::{Serialize, Serializer};

/// The significant digits of a picture.
const DIGITS: i32 = 5;

/// The digits of an `f64`.
const MOST: i32 = 15;

/// A number as the page's data have it: short, and null if it is not finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(value) = *self;
        if !value.is_finite() {
            return serializer.serialize_none();
        }
        // Without the `.0` of whole numbers.
        if value.fract() == 0.0 && value.abs() < 1e15 {
            return serializer.serialize_i64(value as i64);
        }
        serializer.serialize_f64(value)
    }
}

/// One number with five digits.
pub(super) fn one(value: f64) -> Number {
    rounded(value, DIGITS)
}

/// Numbers of which differences are seen: five digits of what they span.
pub(super) fn field(values: &[f64]) -> Vec<Number> {
    let (low, high) = range(values);
    let digits = DIGITS + digits_between(low.abs().max(high.abs()), high - low).max(0);
    values.iter().map(|&value| rounded(value, digits)).collect()
}

/// Coordinates: three digits of the smallest distance between them.
pub(super) fn coordinates(values: &[f64]) -> Vec<Number> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|it| it.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let gap = sorted
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .filter(|&gap| gap > 0.0)
        .fold(f64::INFINITY, f64::min);
    let (low, high) = range(values);
    let digits = DIGITS.max(4 + digits_between(low.abs().max(high.abs()), gap));
    values.iter().map(|&value| rounded(value, digits)).collect()
}

/// The smallest and the largest finite number.
fn range(values: &[f64]) -> (f64, f64) {
    let finite = values.iter().copied().filter(|it| it.is_finite());
    finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}

/// How many more digits the larger number has than the smaller one.
fn digits_between(large: f64, small: f64) -> i32 {
    let ratio = large / small;
    if ratio.is_finite() && ratio > 1.0 {
        ratio.log10().floor() as i32
    } else {
        0
    }
}

fn rounded(value: f64, digits: i32) -> Number {
    if !value.is_finite() {
        return Number(value);
    }
    let decimals = digits.clamp(1, MOST) as usize - 1;
    let rounded = format!("{value:.decimals$e}").parse().ok();
    // The largest numbers would become infinite.
    Number(rounded.filter(|it: &f64| it.is_finite()).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::{coordinates, field, one};

    fn json(value: &impl serde::Serialize) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(json(&one(0.123_456_789)), "0.12346");
        assert_eq!(json(&one(-7.0)), "-7");
        assert_eq!(json(&one(1.234_567e-300)), "1.2346e-300");
        assert_eq!(json(&one(f64::MAX)).parse(), Ok(f64::MAX));
        assert_eq!(json(&one(f64::NAN)), "null");
        assert_eq!(json(&one(f64::INFINITY)), "null");
    }

    #[test]
    fn a_narrow_range_keeps_its_digits() {
        assert_eq!(
            json(&field(&[2.302_580_1, 2.302_581_2, f64::NAN])),
            "[2.3025801,2.3025812,null]"
        );
        assert_eq!(json(&field(&[0.1, 123.456_78])), "[0.1,123.46]");
        assert_eq!(json(&field(&[])), "[]");
        assert_eq!(json(&field(&[f64::NAN])), "[null]");
    }

    #[test]
    fn steps_are_exact() {
        assert_eq!(
            json(&coordinates(&[1_234_567.0, 1_234_568.0])),
            "[1234567,1234568]"
        );
        assert_eq!(
            json(&coordinates(&[0.0, 1.0 / 3.0, 2.0 / 3.0])),
            "[0,0.33333,0.66667]"
        );
        assert_eq!(json(&coordinates(&[5.0])), "[5]");
    }
}
