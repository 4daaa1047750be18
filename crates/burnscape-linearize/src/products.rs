//! Products without division, so that zeros among the factors are factors like any other.
//!
//! Everything here is written with slices, products and joins, of which the derivatives are of the same
//! kind: a derivative of any order is one of the polynomial, at two and three zeros too.

use std::ops::Range;

use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::Slice;
use burn_capture::CaptureDevice;

use super::lifter::C;
use super::recording::Symbol;

/// `Π_{j ≠ i} x_j` along an axis, for every `i`.
///
/// A tree: products of halves of halves on the way up, and on the way down what is outside of each of
/// them. About 3 n multiplications in 2 log₂ n steps, and the memory of as many numbers.
pub(crate) fn exclusive(x: Symbol, axis: usize, device: &CaptureDevice) -> Symbol {
    let mut halves = Vec::new();
    let mut rest = x.clone();
    while len(&rest, axis) > 1 {
        let n = len(&rest, axis);
        let half = n.div_ceil(2);
        let first = part(&rest, axis, 0..half);
        let last = part(&rest, axis, half..n);
        rest = with_rest(&first, axis, n - half, |paired| {
            C::float_mul(paired, last.clone())
        });
        halves.push((first, last));
    }
    // Outside of everything there is nothing.
    let mut outside: Option<Symbol> = None;
    for (first, last) in halves.into_iter().rev() {
        let pairs = len(&last, axis);
        let paired = part(&first, axis, 0..pairs);
        outside = Some(match outside {
            None => C::float_cat(vec![last, paired], axis),
            Some(outside) => {
                let to_last = C::float_mul(part(&outside, axis, 0..pairs), paired);
                let to_first =
                    with_rest(&outside, axis, pairs, |paired| C::float_mul(paired, last));
                C::float_cat(vec![to_first, to_last], axis)
            }
        });
    }
    outside.unwrap_or_else(|| C::float_ones(x.shape(), device, x.dtype().into()))
}

/// The derivative of the running products `y_i = Π_{j ≤ i} x_j` along a tangent `t`.
///
/// Running products by doubling: log₂ n steps, in each of which every element is multiplied by the one
/// `d` places before it. O(n log n), in place of one division an element.
pub(crate) fn cumulative_tangent(x: Symbol, t: Symbol, axis: usize) -> Symbol {
    let n = len(&x, axis);
    let mut tangent = t;
    for Step { d, before } in steps(x, axis) {
        let (own, earlier) = (part(&before, axis, d..n), part(&before, axis, 0..n - d));
        let moved = C::float_add(
            C::float_mul(part(&tangent, axis, d..n), earlier),
            C::float_mul(own, part(&tangent, axis, 0..n - d)),
        );
        tangent = C::float_cat(vec![part(&tangent, axis, 0..d), moved], axis);
    }
    tangent
}

/// What the gradient `g` of running products is for their factors:
/// `Σ_{j ≥ i} g_j Π_{k ≤ j, k ≠ i} x_k`. The same steps backwards; O(n log n).
pub(crate) fn cumulative_backward(x: Symbol, g: Symbol, axis: usize) -> Symbol {
    let n = len(&x, axis);
    let mut gradient = g;
    for Step { d, before } in steps(x, axis).into_iter().rev() {
        let (own, earlier) = (part(&before, axis, d..n), part(&before, axis, 0..n - d));
        let late = part(&gradient, axis, d..n);
        let direct = C::float_cat(
            vec![
                part(&gradient, axis, 0..d),
                C::float_mul(late.clone(), earlier),
            ],
            axis,
        );
        let as_earlier = C::float_mul(late, own);
        gradient = with_rest(&direct, axis, n - d, |direct| {
            C::float_add(direct, as_earlier)
        });
    }
    gradient
}

/// A step of running products by doubling.
struct Step {
    /// How far back it reads.
    d: usize,
    /// The products of up to `d` factors that it starts from.
    before: Symbol,
}

fn steps(x: Symbol, axis: usize) -> Vec<Step> {
    let n = len(&x, axis);
    let (mut steps, mut d, mut running) = (Vec::new(), 1, x);
    while d < n {
        let product = C::float_mul(part(&running, axis, d..n), part(&running, axis, 0..n - d));
        let next = C::float_cat(vec![part(&running, axis, 0..d), product], axis);
        steps.push(Step { d, before: running });
        (running, d) = (next, 2 * d);
    }
    steps
}

fn len(x: &Symbol, axis: usize) -> usize {
    x.shape()[axis]
}

fn part(x: &Symbol, axis: usize, range: Range<usize>) -> Symbol {
    if range == (0..len(x, axis)) {
        return x.clone();
    }
    let mut slices = vec![Slice::full(); x.shape().num_dims()];
    slices[axis] = Slice::from(range);
    C::float_slice(x.clone(), &slices)
}

/// `change` applied to the first `count` places, and the others as they are.
fn with_rest(
    x: &Symbol,
    axis: usize,
    count: usize,
    change: impl FnOnce(Symbol) -> Symbol,
) -> Symbol {
    let n = len(x, axis);
    let changed = change(part(x, axis, 0..count));
    match count == n {
        true => changed,
        false => C::float_cat(vec![changed, part(x, axis, count..n)], axis),
    }
}
