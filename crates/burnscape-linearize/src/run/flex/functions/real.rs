//! The two types of numbers, and the constants of their formulas.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A type of numbers, with what the formulas need.
pub(super) trait Real:
    Copy
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    const ZERO: Self;
    const ONE: Self;
    const TWO: Self;
    const LOG2_E: Self;
    /// ln 2 in two parts. The first has so few bits that its product with any exponent is exact.
    const LN_2: [Self; 2];
    /// A number of this size has no fraction: adding it rounds, and leaves a whole number in the lowest bits.
    const ROUNDER: Self;
    /// From here on tanh rounds to one.
    const TANH_END: Self;

    fn abs(self) -> Self;
    fn copysign(self, sign: Self) -> Self;
    /// `2ⁿ` for a whole number `n`, given as `n + ROUNDER`, if it is a normal number.
    fn power_of_two(shifted: Self) -> Self;
    /// `(eˣ − 1 − x) / x²` for `|x| ≤ ln 2 / 2`.
    fn exp_tail(self) -> Self;
}

/// A polynomial by Horner's rule, with its coefficients in rising order.
macro_rules! polynomial {
    ($x:expr, $c:expr) => { $c };
    ($x:expr, $c:expr, $($rest:expr),+) => { polynomial!($x, $($rest),+) * $x + $c };
}

macro_rules! real {
    ($type:ident, $mantissa_bits:expr, $bias:expr, { $($items:tt)* }) => {
        impl Real for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const TWO: Self = 2.0;
            const LOG2_E: Self = std::$type::consts::LOG2_E;

            $($items)*

            #[inline(always)]
            fn abs(self) -> Self {
                self.abs()
            }

            #[inline(always)]
            fn copysign(self, sign: Self) -> Self {
                self.copysign(sign)
            }

            #[inline(always)]
            fn power_of_two(shifted: Self) -> Self {
                Self::from_bits((shifted + $bias).to_bits() << $mantissa_bits)
            }
        }
    };
}

real!(f32, 23, 127.0, {
    const LN_2: [Self; 2] = [0.693_359_375, -2.121_944_4e-4];
    const ROUNDER: Self = 12_582_912.0;
    const TANH_END: Self = 10.0;

    #[inline(always)]
    fn exp_tail(self) -> Self {
        polynomial!(
            self,
            0.5,
            0.166_666_67,
            0.041_666_463,
            0.008_333_286,
            0.001_393_373_6,
            0.000_199_077_04
        )
    }
});

real!(f64, 52, 1023.0, {
    const LN_2: [Self; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
    const ROUNDER: Self = 6_755_399_441_055_744.0;
    const TANH_END: Self = 22.0;

    #[inline(always)]
    fn exp_tail(self) -> Self {
        polynomial!(
            self,
            0.5,
            0.166_666_666_666_666_7,
            0.041_666_666_666_666_685,
            0.008_333_333_333_326_082,
            0.001_388_888_888_887_429_6,
            0.000_198_412_698_750_036_9,
            2.480_158_734_760_256_3e-5,
            2.755_725_516_831_698e-6,
            2.755_725_265_668_561e-7,
            2.510_531_340_892_205_2e-8,
            2.092_167_468_435_133e-9
        )
    }
});
