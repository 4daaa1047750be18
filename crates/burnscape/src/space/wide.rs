use std::ops::{Add, Div, Mul, Neg};

use serde::{Deserialize, Serialize};

/// A real number with a separate exponent: `significand · 2^exponent`.
///
/// The square of a norm may overflow `f64` although the norm is far inside its range: `1e200` is a number, its
/// square is not. Products and quotients of such squares are computed in this type and converted to `f64` once
/// they are lengths, cosines or ratios. Without overflow and underflow, every operation rounds as in `f64`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Wide {
    /// Zero, not finite, or with absolute value in [1, 2).
    significand: f64,
    exponent: i32,
}

impl Wide {
    pub(crate) const ZERO: Self = Self {
        significand: 0.0,
        exponent: 0,
    };

    /// `significand · 2^exponent`.
    pub(crate) fn new(significand: f64, exponent: i32) -> Self {
        if significand == 0.0 || !significand.is_finite() {
            return Self {
                significand,
                exponent: 0,
            };
        }
        let own = exponent_of(significand);
        Self {
            significand: times_power_of_two(significand, -own),
            exponent: exponent + own,
        }
    }

    /// The number as an `f64`: infinite above its range, subnormal or zero below it.
    pub(crate) fn value(self) -> f64 {
        times_power_of_two(self.significand, self.exponent)
    }

    /// The binary exponent; 0 for zero, NaN and infinity.
    pub(crate) fn exponent(self) -> i32 {
        self.exponent
    }

    pub(crate) fn is_finite(self) -> bool {
        self.significand.is_finite()
    }

    pub(crate) fn is_positive(self) -> bool {
        self.significand > 0.0
    }

    pub(crate) fn abs(self) -> Self {
        Self {
            significand: self.significand.abs(),
            ..self
        }
    }

    /// The square root; NaN for a negative number.
    pub(crate) fn sqrt(self) -> Self {
        // An even exponent has an exact half.
        let half = self.exponent.div_euclid(2);
        let rest = self.exponent - 2 * half;
        Self::new(times_power_of_two(self.significand, rest).sqrt(), half)
    }

    /// The number times `2^exponent`.
    pub(crate) fn shifted(self, exponent: i32) -> Self {
        Self::new(self.significand, self.exponent.saturating_add(exponent))
    }

    pub(crate) fn is_greater(self, other: Self) -> bool {
        (self + -other).significand > 0.0
    }
}

impl Default for Wide {
    fn default() -> Self {
        Self::ZERO
    }
}

impl From<f64> for Wide {
    fn from(value: f64) -> Self {
        Self::new(value, 0)
    }
}

impl Neg for Wide {
    type Output = Self;

    fn neg(self) -> Self {
        Self {
            significand: -self.significand,
            ..self
        }
    }
}

impl Add for Wide {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        // The exponent of zero is meaningless.
        if self.significand == 0.0 {
            return other;
        }
        if other.significand == 0.0 {
            return self;
        }
        let largest = self.exponent.max(other.exponent);
        let at = |x: Self| times_power_of_two(x.significand, x.exponent - largest);
        Self::new(at(self) + at(other), largest)
    }
}

impl Mul for Wide {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let exponent = self.exponent + other.exponent;
        Self::new(self.significand * other.significand, exponent)
    }
}

impl Div for Wide {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let exponent = self.exponent - other.exponent;
        Self::new(self.significand / other.significand, exponent)
    }
}

impl std::iter::Sum for Wide {
    fn sum<I: Iterator<Item = Self>>(terms: I) -> Self {
        terms.fold(Self::ZERO, Add::add)
    }
}

/// The integer `e` with `2^e ≤ |value| < 2^(e + 1)`, for a finite number other than zero.
pub(crate) fn exponent_of(value: f64) -> i32 {
    let field = |value: f64| ((value.to_bits() >> 52) & 0x7FF) as i32;
    match field(value) {
        // Subnormal: scale it to a normal number first.
        0 => field(value * 2.0_f64.powi(54)) - 1023 - 54,
        exponent => exponent - 1023,
    }
}

/// The largest power of two that does not exceed a positive number.
pub(crate) fn power_of_two(value: f64) -> f64 {
    times_power_of_two(1.0, exponent_of(value))
}

/// `value · 2^exponent`, exact if the result is a normal number.
pub(crate) fn times_power_of_two(value: f64, exponent: i32) -> f64 {
    let (mut value, mut rest) = (value, exponent);
    // Two steps span the range of f64; the third one leaves it.
    for _ in 0..3 {
        let step = rest.clamp(-1022, 1023);
        value *= 2.0_f64.powi(step);
        rest -= step;
    }
    match rest {
        0 => value,
        _ if rest < 0 => value * 0.0,
        _ => value * f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_its_significand_times_a_power_of_two() {
        for value in [1.0, -3.5, 1e300, 1e-300, 5e-324, f64::MAX, 0.0] {
            assert_eq!(Wide::from(value).value(), value);
        }
        assert!(Wide::from(f64::NAN).value().is_nan());
        assert_eq!(Wide::from(f64::NEG_INFINITY).value(), f64::NEG_INFINITY);
        assert_eq!(Wide::new(3.0, 2000).value(), f64::INFINITY);
        assert_eq!(Wide::new(3.0, -2000).value(), 0.0);
        assert_eq!(Wide::new(3.0, 1_000_000).value(), f64::INFINITY);
        assert_eq!(Wide::new(-3.0, -1_000_000).value(), 0.0);
        assert_eq!((exponent_of(1.0), exponent_of(5e-324)), (0, -1074));
    }

    #[test]
    fn squares_out_of_range_have_roots_within() {
        for value in [1e200, 3e-200, f64::MAX, f64::MIN_POSITIVE, 2.0, 3.0] {
            let wide = Wide::from(value);
            let root = (wide * wide).sqrt().value();
            assert!((root / value - 1.0).abs() <= f64::EPSILON, "{value}");
        }
        assert!(Wide::from(-1.0).sqrt().value().is_nan());
    }

    #[test]
    fn arithmetic_is_that_of_f64_where_f64_has_the_range() {
        let numbers = [0.0, 1.0, -0.7, 3e10, -2e-9];
        for a in numbers {
            for b in numbers {
                let (x, y) = (Wide::from(a), Wide::from(b));
                assert_eq!((x + y).value(), a + b);
                assert_eq!((x * y).value(), a * b);
                if b != 0.0 {
                    assert_eq!((x / y).value(), a / b);
                }
                assert_eq!(x.is_greater(y), a > b);
            }
        }
        let huge = Wide::new(1.0, 3000);
        assert_eq!((huge / Wide::new(1.0, 2999)).value(), 2.0);
        assert_eq!((huge + -huge).value(), 0.0);
    }
}
