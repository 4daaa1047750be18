//! The two types of numbers, with the constants of their formulas.
//!
//! Polynomials are minimax approximations by Remez's exchange, computed with sixty digits and rounded. Their errors are
//! below a quarter of the last bit of the function.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::polynomial::{fours, polynomial};

/// A type of numbers, with what the formulas need.
pub(in super::super) trait Real:
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
    const HALF: Self;
    const ONE: Self;
    const TWO: Self;
    const LOG2_E: Self;
    /// `ln 2` in two parts. The first has so few bits that its product with any exponent is exact.
    const LN_2: [Self; 2];
    /// Numbers of this size have no fraction: adding it rounds to a whole number, which is then in the lowest bits.
    const ROUNDER: Self;
    /// Below the first the exponential rounds to zero, above the second it is infinite.
    const EXP_ENDS: [Self; 2];
    /// From here on `tanh` rounds to one.
    const TANH_END: Self;
    /// From here on `erf` rounds to one.
    const ERF_END: Self;
    /// The center of [`erfcx_numerator`](Self::erfcx_numerator).
    const ERFCX_CENTER: Self;

    fn abs(self) -> Self;
    fn copysign(self, sign: Self) -> Self;
    /// `2ⁿ` for a whole number `n`, given as `n + ROUNDER`, if it is a normal number.
    fn power_of_two(shifted: Self) -> Self;
    /// `(eˣ − 1 − x) / x²` for `|x| ≤ ln 2 / 2`
    fn exp_tail(self) -> Self;
    /// `erf(x)/x − 1` as a function of `x² ≤ 1/4`
    fn erf_tail(self) -> Self;
    /// `(1 + 2x) erfc(x) exp(x²)` as a function of `(x − c)/(x + c)`, where `c` is the center and `x ≥ 0`
    fn erfcx_numerator(self) -> Self;
}

macro_rules! real {
    ($type:ident, $mantissa_bits:expr, $bias:expr, { $($items:tt)* }) => {
        impl Real for $type {
            const ZERO: Self = 0.0;
            const HALF: Self = 0.5;
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
    const LN_2: [Self; 2] = [355.0 / 512.0, -2.121_944_4e-4];
    const ROUNDER: Self = 12_582_912.0;
    const EXP_ENDS: [Self; 2] = [-104.0, 89.0];
    const TANH_END: Self = 10.0;
    const ERF_END: Self = 4.5;
    const ERFCX_CENTER: Self = 3.0;

    #[inline(always)]
    fn exp_tail(self) -> Self {
        polynomial!(
            self;
            0.5,
            0.166_666_67,
            0.041_666_463,
            0.008_333_286,
            0.001_393_373_6,
            0.000_199_077_04
        )
    }

    #[inline(always)]
    fn erf_tail(self) -> Self {
        polynomial!(
            self;
            0.128_379_17,
            -0.376_126_08,
            0.112_828_38,
            -0.026_758_157,
            0.004_719_928_4
        )
    }

    #[inline(always)]
    fn erfcx_numerator(self) -> Self {
        // The first term is the largest by far, so it is added last.
        1.253_008
            + self
                * polynomial!(
                    self;
                    -0.135_621_15,
                    -0.047_562_42,
                    0.129_646_45,
                    -0.119_270_615,
                    0.068_295_75,
                    -0.023_799_539,
                    0.002_565_715,
                    0.002_004_844_4,
                    -0.000_772_676_5,
                    -0.000_266_234_22
                )
    }
});

real!(f64, 52, 1023.0, {
    const LN_2: [Self; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
    const ROUNDER: Self = 6_755_399_441_055_744.0;
    const EXP_ENDS: [Self; 2] = [-746.0, 710.0];
    const TANH_END: Self = 22.0;
    const ERF_END: Self = 6.5;
    const ERFCX_CENTER: Self = 3.5;

    #[inline(always)]
    fn exp_tail(self) -> Self {
        polynomial!(
            self;
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

    #[inline(always)]
    fn erf_tail(self) -> Self {
        polynomial!(
            self;
            0.128_379_167_095_512_6,
            -0.376_126_389_031_837_5,
            0.112_837_916_709_548_71,
            -0.026_866_170_645_000_43,
            0.005_223_977_622_031_512_5,
            -0.000_854_832_651_240_833_9,
            0.000_120_552_863_162_370_73,
            -1.492_300_788_763_559_7e-5,
            1.637_133_076_974_195e-6,
            -1.462_176_957_257_393_6e-7
        )
    }

    #[inline(always)]
    fn erfcx_numerator(self) -> Self {
        1.242_349_244_871_154_4
            + self
                * polynomial!(
                    self;
                    -0.140_009_180_137_619_3,
                    -0.010_555_596_332_215_603,
                    0.097_519_095_153_241_04,
                    -0.115_089_598_160_353_72,
                    0.087_983_153_825_485_24,
                    -0.048_823_325_824_020_43,
                    0.019_099_330_932_525_22,
                    -0.004_215_019_956_554_516_6,
                    -0.000_302_267_791_905_760_04,
                    0.000_564_384_781_634_396,
                    -0.000_121_512_862_092_936_68,
                    -4.278_394_846_861_053_6e-5,
                    2.426_234_794_983_621_3e-5,
                    2.333_563_217_649_939_7e-6,
                    -3.817_249_912_933_161e-6,
                    -5.462_713_877_674_942e-8,
                    6.037_133_699_697_083e-7,
                    4.876_146_325_899_575_5e-9,
                    -9.549_253_889_840_185e-8,
                    -8.372_611_766_307_592e-9,
                    1.113_667_103_778_352_4e-8,
                    2.704_383_217_879_236_3e-9
                )
    }
});
