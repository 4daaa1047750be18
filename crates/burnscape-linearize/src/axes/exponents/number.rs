//! The numbers that exponents are: fractions, and integers modulo 2.

use std::fmt::Debug;

/// A field.
pub(super) trait Number: Copy + PartialEq + Debug {
    const ZERO: Self;
    const ONE: Self;
    fn of(integer: i64) -> Self;
    fn plus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    fn negative(self) -> Self;
    /// One over a number that is not zero.
    fn inverse(self) -> Self;
}

/// A fraction in lowest terms with a positive denominator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fraction {
    pub(crate) numerator: i64,
    pub(crate) denominator: i64,
}

impl Fraction {
    pub(crate) fn new(numerator: i64, denominator: i64) -> Self {
        let divisor = gcd(numerator, denominator).max(1) * denominator.signum();
        Self {
            numerator: numerator / divisor,
            denominator: denominator / divisor,
        }
    }

    /// The fraction with a small denominator that a power is.
    pub(super) fn near(power: f64) -> Option<Self> {
        (1..=12).find_map(|denominator| {
            let numerator = power * denominator as f64;
            let is_close = (numerator - numerator.round()).abs() < 1e-9 && numerator.abs() < 1e6;
            is_close.then(|| Self::new(numerator.round() as i64, denominator))
        })
    }
}

pub(crate) fn gcd(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.abs(), b.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl Number for Fraction {
    const ZERO: Self = Self {
        numerator: 0,
        denominator: 1,
    };
    const ONE: Self = Self {
        numerator: 1,
        denominator: 1,
    };

    fn of(integer: i64) -> Self {
        Self::new(integer, 1)
    }

    fn plus(self, other: Self) -> Self {
        let numerator = self.numerator * other.denominator + other.numerator * self.denominator;
        Self::new(numerator, self.denominator * other.denominator)
    }

    fn times(self, other: Self) -> Self {
        let numerator = self.numerator * other.numerator;
        Self::new(numerator, self.denominator * other.denominator)
    }

    fn negative(self) -> Self {
        Self::new(-self.numerator, self.denominator)
    }

    fn inverse(self) -> Self {
        Self::new(self.denominator, self.numerator)
    }
}

/// An integer modulo 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parity(bool);

impl Number for Parity {
    const ZERO: Self = Self(false);
    const ONE: Self = Self(true);

    fn of(integer: i64) -> Self {
        Self(integer.rem_euclid(2) == 1)
    }

    fn plus(self, other: Self) -> Self {
        Self(self.0 != other.0)
    }

    fn times(self, other: Self) -> Self {
        Self(self.0 && other.0)
    }

    fn negative(self) -> Self {
        self
    }

    fn inverse(self) -> Self {
        self
    }
}
