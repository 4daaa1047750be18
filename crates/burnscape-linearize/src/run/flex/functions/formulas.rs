//! The functions, by sums, products, quotients and selections alone, so that loops of them become vector instructions.
//!
//! There is no fused product and sum in them: every processor gives the same bits, with any width of vectors, and what is
//! tested on one holds on all. Every choice is a selection between values that are both computed. What is not a number
//! passes through all of them.

use super::real::Real;

/// `x`, but at most `end`
#[inline(always)]
pub(super) fn at_most<T: Real>(x: T, end: T) -> T {
    if x > end { end } else { x }
}

/// `n` and `eʳ − 1`, where `x + tail = n ln 2 + r` with a whole number `n` and `|r| ≤ ln 2 / 2`.
#[inline(always)]
fn reduced<T: Real>(x: T, tail: T) -> (T, T) {
    let whole = x * T::LOG2_E + T::ROUNDER - T::ROUNDER;
    let [high, low] = T::LN_2;
    let rest = x - whole * high - (whole * low - tail);
    (whole, rest + rest * rest * rest.exp_tail())
}

#[inline(always)]
pub(super) fn exp<T: Real>(x: T) -> T {
    exp_of_sum(x, T::ZERO)
}

/// `exp(x + tail)` for a `tail` of the size of `x`'s rounding.
#[inline(always)]
pub(super) fn exp_of_sum<T: Real>(x: T, tail: T) -> T {
    let [low, high] = T::EXP_ENDS;
    let x = at_most(x, high);
    let (whole, rise) = reduced(if x < low { low } else { x }, tail);
    // The power of two in two parts, as it may not be a normal number.
    let half = whole * T::HALF + T::ROUNDER;
    let other = whole - (half - T::ROUNDER) + T::ROUNDER;
    (T::ONE + rise) * T::power_of_two(half) * T::power_of_two(other)
}

/// `exp(x)` where the result is a normal number.
#[inline(always)]
pub(super) fn exp_of_moderate<T: Real>(x: T) -> T {
    let (whole, rise) = reduced(x, T::ZERO);
    (T::ONE + rise) * T::power_of_two(whole + T::ROUNDER)
}

/// `(e²ˣ − 1) / (e²ˣ + 1)`
#[inline(always)]
pub(super) fn tanh<T: Real>(x: T) -> T {
    let (whole, rise) = reduced(T::TWO * at_most(x.abs(), T::TANH_END), T::ZERO);
    let scale = T::power_of_two(whole + T::ROUNDER);
    let rise = scale * rise + (scale - T::ONE);
    (rise / (rise + T::TWO)).copysign(x)
}

/// `1 / (1 + e⁻ˣ)`, by the exponential that cannot overflow.
#[inline(always)]
pub(super) fn sigmoid<T: Real>(x: T) -> T {
    let small = exp(-x.abs());
    let above = if x < T::ZERO { small } else { T::ONE };
    above / (T::ONE + small)
}

/// `erfc(x) exp(x²)` for `x ≥ 0`
#[inline(always)]
pub(super) fn erfcx<T: Real>(x: T) -> T {
    let place = (x - T::ERFCX_CENTER) / (x + T::ERFCX_CENTER);
    place.erfcx_numerator() / (T::ONE + T::TWO * x)
}

/// A power series near zero; elsewhere `1 − erfc(|x|)`, with the sign of `x`.
#[inline(always)]
pub(super) fn erf<T: Real>(x: T) -> T {
    let near = x + x * (x * x).erf_tail();
    let size = at_most(x.abs(), T::ERF_END);
    let far = T::ONE - exp_of_moderate(-(size * size)) * erfcx(size);
    if size < T::HALF {
        near
    } else {
        far.copysign(x)
    }
}
