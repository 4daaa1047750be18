//! Numbers with vectors.

use std::marker::PhantomData;
use std::ops::{Add, AddAssign, Mul, Sub};

use pulp::{Simd, WithSimd};

pub(super) use super::super::vectorized::vectorized;

/// The largest number of numbers in a vector.
pub(super) const MAX_LANES: usize = 16;

/// The number of numbers in a vector of the processor that the program runs on.
pub(super) fn lanes<N: Number>() -> usize {
    struct Lanes<N>(PhantomData<N>);

    impl<N: Number> WithSimd for Lanes<N> {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            N::lanes::<S>()
        }
    }

    vectorized(Lanes::<N>(PhantomData))
}

/// An element type with vectors.
pub(crate) trait Number:
    Copy
    + Default
    + PartialEq
    + AddAssign
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Send
    + Sync
    + 'static
{
    const HALF: Self;
    type Vector<S: Simd>: Copy;
    fn lanes<S: Simd>() -> usize {
        size_of::<Self::Vector<S>>() / size_of::<Self>()
    }
    /// The slice as vectors, without what is left at its end.
    fn vectors<S: Simd>(slice: &[Self]) -> &[Self::Vector<S>];
    fn vectors_mut<S: Simd>(slice: &mut [Self]) -> &mut [Self::Vector<S>];
    fn splat<S: Simd>(simd: S, number: Self) -> Self::Vector<S>;
    /// `a · b + c`
    fn mul_add<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;
    fn plus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    fn minus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// The numbers of two vectors at even places and those at odd ones, both in the same order.
    fn apart<S: Simd>(simd: S, pair: [Self::Vector<S>; 2]) -> [Self::Vector<S>; 2];
    /// Undoes [`apart`](Self::apart).
    fn together<S: Simd>(simd: S, pair: [Self::Vector<S>; 2]) -> [Self::Vector<S>; 2];
    fn sum<S: Simd>(simd: S, vector: Self::Vector<S>) -> Self;
}

macro_rules! number {
    ($number:ty, $vector:ident, $vectors:ident, $vectors_mut:ident, $splat:ident, $mul_add:ident, $plus:ident,
     $minus:ident, $apart:ident, $together:ident, $sum:ident) => {
        impl Number for $number {
            const HALF: Self = 0.5;
            type Vector<S: Simd> = S::$vector;
            #[inline(always)]
            fn vectors<S: Simd>(slice: &[Self]) -> &[S::$vector] {
                S::$vectors(slice).0
            }
            #[inline(always)]
            fn vectors_mut<S: Simd>(slice: &mut [Self]) -> &mut [S::$vector] {
                S::$vectors_mut(slice).0
            }
            #[inline(always)]
            fn splat<S: Simd>(simd: S, number: Self) -> S::$vector {
                simd.$splat(number)
            }
            #[inline(always)]
            fn mul_add<S: Simd>(
                simd: S,
                a: S::$vector,
                b: S::$vector,
                c: S::$vector,
            ) -> S::$vector {
                simd.$mul_add(a, b, c)
            }
            #[inline(always)]
            fn plus<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$plus(a, b)
            }
            #[inline(always)]
            fn minus<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$minus(a, b)
            }
            #[inline(always)]
            fn apart<S: Simd>(simd: S, pair: [S::$vector; 2]) -> [S::$vector; 2] {
                simd.$apart(pair)
            }
            #[inline(always)]
            fn together<S: Simd>(simd: S, pair: [S::$vector; 2]) -> [S::$vector; 2] {
                simd.$together(pair)
            }
            #[inline(always)]
            fn sum<S: Simd>(simd: S, vector: S::$vector) -> Self {
                simd.$sum(vector)
            }
        }
    };
}

number!(
    f32,
    f32s,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    mul_add_e_f32s,
    add_f32s,
    sub_f32s,
    deinterleave_shfl_f32s,
    interleave_shfl_f32s,
    reduce_sum_f32s
);

number!(
    f64,
    f64s,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    mul_add_e_f64s,
    add_f64s,
    sub_f64s,
    deinterleave_shfl_f64s,
    interleave_shfl_f64s,
    reduce_sum_f64s
);
