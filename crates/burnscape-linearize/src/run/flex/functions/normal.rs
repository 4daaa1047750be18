//! The distribution function of the standard normal distribution, `Φ(x) = erfc(−x/√2) / 2`.
//!
//! It is the factor of `GELU(x) = x Φ(x)`. For negative `x` the sum `(1 + erf(x/√2)) / 2` keeps ever fewer digits, and
//! none below −6 in single precision. Here `exp(−x²/2)` and a slowly changing factor keep all of them.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2};

use super::formulas::{at_most, erfcx, exp_of_sum};
use super::polynomial::{fours, polynomial};
use super::real::Real;

/// Numbers with a distribution function.
pub(in super::super) trait Normal: Real {
    /// `Φ(x)`
    fn normal_distribution(self) -> Self;
}

impl Normal for f64 {
    #[inline(always)]
    fn normal_distribution(self) -> Self {
        // Φ(−39) rounds to zero.
        let size = at_most(self.abs(), 39.0);
        let [square, rest] = exact_square(size);
        let bell = exp_of_sum(-0.5 * square, -0.5 * rest);
        let left = 0.5 * bell * erfcx(size * FRAC_1_SQRT_2);
        let far = if self > 0.0 { 1.0 - left } else { left };
        let near = 0.5 + 0.5 * FRAC_1_SQRT_2 * self * (1.0 + (0.5 * self * self).erf_tail());
        if size < FRAC_1_SQRT_2 { near } else { far }
    }
}

impl Normal for f32 {
    /// In double precision, where the square is exact and nothing underflows.
    #[inline(always)]
    fn normal_distribution(self) -> Self {
        // Φ(−14.5) rounds to zero.
        let size = at_most(f64::from(self.abs()), 14.5);
        let bell = single_exp(-0.5 * size * size);
        let left = 0.5 * bell * single_erfcx(size * FRAC_1_SQRT_2);
        (if self > 0.0 { 1.0 - left } else { left }) as Self
    }
}

/// `x²` as a sum of two numbers, by halves of the digits of `x` (Dekker, 1971).
#[inline(always)]
fn exact_square(x: f64) -> [f64; 2] {
    const SPLITTER: f64 = 134_217_729.0;
    let large = x * SPLITTER;
    let head = large - (large - x);
    let tail = x - head;
    let square = x * x;
    [
        square,
        (head * head - square) + 2.0 * head * tail + tail * tail,
    ]
}

/// `exp(x)` to nine digits, where the result is a normal number.
#[inline(always)]
fn single_exp(x: f64) -> f64 {
    let whole = x * f64::LOG2_E + f64::ROUNDER - f64::ROUNDER;
    let rest = x - whole * LN_2;
    let tail = polynomial!(
        rest;
        0.500_000_001_354_778_3,
        0.166_666_667_569_413_2,
        0.041_666_464_137_220_534,
        0.008_333_285_836_560_053,
        0.001_393_373_571_677_124_3,
        0.000_199_077_044_489_969_93
    );
    (1.0 + rest + rest * rest * tail) * f64::power_of_two(whole + f64::ROUNDER)
}

/// `erfc(x) exp(x²)` to nine digits, for `0 ≤ x ≤ 10.3`.
#[inline(always)]
fn single_erfcx(x: f64) -> f64 {
    let numerator = polynomial!(
        (x - 3.0) / (x + 3.0);
        1.253_008_059_312_841_6,
        -0.135_621_140_932_854_13,
        -0.047_562_420_121_222_505,
        0.129_646_451_407_125_5,
        -0.119_270_613_982_432_9,
        0.068_295_746_288_833_59,
        -0.023_799_538_232_619_225,
        0.002_565_714_924_771_575_5,
        0.002_004_844_404_510_617_3,
        -0.000_772_676_517_550_640_5,
        -0.000_266_234_215_021_215_4
    );
    numerator / (1.0 + 2.0 * x)
}
