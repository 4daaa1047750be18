//! The functions, by sums, products, quotients and selections alone, so that they vectorize on any processor.
//!
//! There is no fused product and sum in them: every processor gives the same bits, so that what is tested on one holds
//! for all.

use super::real::Real;

/// `x`, but at most `end`. Keeps what is not a number.
#[inline(always)]
fn at_most<T: Real>(x: T, end: T) -> T {
    if x > end { end } else { x }
}

/// `n` and `eʳ − 1`, where `x = n ln 2 + r` with a whole number `n` and `|r| ≤ ln 2 / 2`.
#[inline(always)]
fn reduced<T: Real>(x: T) -> (T, T) {
    let whole = x * T::LOG2_E + T::ROUNDER - T::ROUNDER;
    let [high, low] = T::LN_2;
    let rest = x - whole * high - whole * low;
    (whole, rest + rest * rest * rest.exp_tail())
}

/// `(e²ˣ − 1) / (e²ˣ + 1)`
#[inline(always)]
pub(super) fn tanh<T: Real>(x: T) -> T {
    let (whole, power) = reduced(T::TWO * at_most(x.abs(), T::TANH_END));
    let scale = T::power_of_two(whole + T::ROUNDER);
    let rise = scale * power + (scale - T::ONE);
    (rise / (rise + T::TWO)).copysign(x)
}
