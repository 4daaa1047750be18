//! Softmax and its logarithm of one row.

use super::formulas::exp;
use super::normal::Normal;
use super::vectors::each;

/// As many partial results as any processor has numbers in two vectors. A fixed number, so that the order of additions, and
/// with it every bit, is the same on all of them.
const LANES: usize = 16;

/// `exp(x − m) / Σ exp(x − m)`, where `m` is the largest number of the row.
#[inline(always)]
pub(super) fn softmax<T: Normal>(row: &mut [T]) {
    let largest = largest(row);
    each!(&mut *row, |x| exp(x - largest));
    let scale = T::ONE / sum(row);
    each!(row, |x| x * scale);
}

/// `(x − m) − ln Σ exp(x − m)`
#[inline(always)]
pub(super) fn log_softmax<T: Normal>(row: &mut [T]) {
    let largest = largest(row);
    each!(&mut *row, |x| x - largest);
    let mut partial = [T::ZERO; LANES];
    let (blocks, rest) = row.as_chunks::<LANES>();
    for block in blocks {
        for (partial, x) in partial.iter_mut().zip(block) {
            *partial = *partial + exp(*x);
        }
    }
    for (partial, x) in partial.iter_mut().zip(rest) {
        *partial = *partial + exp(*x);
    }
    let logarithm = total(partial).ln();
    each!(row, |x| x - logarithm);
}

#[inline(always)]
fn largest<T: Normal>(row: &[T]) -> T {
    let greater = |a: T, b: T| if b > a { b } else { a };
    let mut partial = [T::LOWEST; LANES];
    let (blocks, rest) = row.as_chunks::<LANES>();
    for block in blocks {
        for (partial, x) in partial.iter_mut().zip(block) {
            *partial = greater(*partial, *x);
        }
    }
    let partial = partial.iter().chain(rest);
    partial.fold(T::LOWEST, |largest, x| greater(largest, *x))
}

#[inline(always)]
fn sum<T: Normal>(row: &[T]) -> T {
    let mut partial = [T::ZERO; LANES];
    let (blocks, rest) = row.as_chunks::<LANES>();
    for block in blocks {
        for (partial, x) in partial.iter_mut().zip(block) {
            *partial = *partial + *x;
        }
    }
    for (partial, x) in partial.iter_mut().zip(rest) {
        *partial = *partial + *x;
    }
    total(partial)
}

/// The sum of the lanes, in pairs.
#[inline(always)]
fn total<T: Normal>(mut partial: [T; LANES]) -> T {
    let mut len = LANES;
    while len > 1 {
        len /= 2;
        for i in 0..len {
            partial[i] = partial[i] + partial[i + len];
        }
    }
    partial[0]
}
