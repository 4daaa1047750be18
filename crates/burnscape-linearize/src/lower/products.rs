//! Products without division, so that factors may be zero.
//!
//! Everything here consists of slices, products and concatenations, whose derivatives consist of the same
//! operations. Derivatives of any order are those of the polynomial, even with two or three zeros.

use std::ops::Range;

use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::Slice;
use burn_capture::CaptureDevice;

use crate::record::{C, Symbol};

/// `Π_{j ≠ i} x_j` along an axis, for every `i`.
///
/// Works on a binary tree: products of halves on the way up, products of everything outside each half on
/// the way down. About 3 n multiplications in 2 log₂ n steps, with memory for as many numbers.
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
    // Nothing is outside the root.
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

/// `Π_{j ≠ i} x_j` over all elements.
pub(crate) fn exclusive_of_all(x: Symbol, device: &CaptureDevice) -> Symbol {
    let shape = x.shape();
    let flat = C::float_reshape(x, [shape.num_elements()].into());
    C::float_reshape(exclusive(flat, 0, device), shape)
}

/// The derivative of the running products `y_i = Π_{j ≤ i} x_j` along a tangent `t`.
///
/// Computes running products by doubling: log₂ n steps, each of which multiplies every element by the
/// element `d` places before it. O(n log n) multiplications instead of one division per element.
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

/// The gradient of the factors of running products, given the gradient `g` of the products:
/// `Σ_{j ≥ i} g_j Π_{k ≤ j, k ≠ i} x_k`. The same steps in reverse; O(n log n).
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

/// One doubling step of running products.
struct Step {
    /// How many places back the step reads.
    d: usize,
    /// The products of up to `d` factors before the step.
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

/// Applies `change` to the first `count` places and keeps the others.
fn with_rest(
    x: &Symbol,
    axis: usize,
    count: usize,
    change: impl FnOnce(Symbol) -> Symbol,
) -> Symbol {
    let n = len(x, axis);
    let changed = change(part(x, axis, 0..count));
    if count == n {
        changed
    } else {
        C::float_cat(vec![changed, part(x, axis, count..n)], axis)
    }
}
