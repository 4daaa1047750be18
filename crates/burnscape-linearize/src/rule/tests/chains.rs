//! Random chains of smooth operations: sharing, merging and zero tangents, which no rule alone meets.

use burn::backend::ops::{ActivationOps, FloatTensorOps};
use burn::tensor::Shape;

use super::Given;
use crate::lifter::C;
use crate::recording::Symbol;

/// Three arguments of one shape.
pub(super) const SHAPES: &[&[usize]] = &[&[3, 4], &[3, 4], &[3, 4]];

/// A linear congruential generator: the numbers must be the same everywhere, nothing else.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// A value made in `length` steps, each from values before it.
pub(super) fn chain(given: &Given, seed: u64, length: usize) -> Symbol {
    let mut draws = Draws(seed);
    draws.below(1);
    let mut values = vec![given.a(), given.b(), given.c()];
    for _ in 0..length {
        // Late values are taken more often, so that chains get long.
        let late = values.len().min(4);
        let x = values[values.len() - 1 - draws.below(late)].clone();
        let y = values[draws.below(values.len())].clone();
        values.push(step(draws.below(17), x, y, given));
    }
    values.pop().unwrap_or_else(|| given.a())
}

/// One step. Products are kept small, so that derivatives of the chain stay of the order of one.
fn step(kind: usize, x: Symbol, y: Symbol, given: &Given) -> Symbol {
    let scaled = |x: Symbol, factor: f64| C::float_mul_scalar(x, factor.into());
    let square = |x: Symbol| C::float_mul(x.clone(), x);
    match kind {
        0 => C::float_tanh(x),
        1 => C::float_sin(C::float_add(x, y)),
        2 => C::float_cos(x),
        3 => C::sigmoid(C::float_sub(x, y)),
        4 => C::float_erf(x),
        5 => C::float_tanh(C::float_mul(x, y)),
        6 => C::float_exp(C::float_neg(square(x))),
        7 => C::float_div(x, C::float_add_scalar(square(y), 1.0.into())),
        8 => C::softmax(C::float_add(x, y), 1),
        9 => C::float_tanh(scaled(C::float_cumsum(x, 1), 0.5)),
        10 => C::float_sub(x.clone(), C::float_mean_dim(x, 0)),
        11 => {
            let inner = C::float_matmul(scaled(x.clone(), 0.3), C::float_swap_dims(y, 0, 1));
            C::float_matmul(inner, x)
        }
        12 => {
            let both = C::float_cat(vec![x, y], 0);
            C::float_select(both, 0, given.ints(&[5, 0, 3], [3]))
        }
        13 => {
            let turned = C::float_reshape(C::float_swap_dims(x, 0, 1), Shape::from([3, 4]));
            C::float_mul(turned, C::sigmoid(y))
        }
        14 => C::float_log(C::float_add_scalar(square(x), 1.0.into())),
        15 => C::float_sqrt(C::float_add_scalar(
            C::float_add(square(x), square(y)),
            1.0.into(),
        )),
        _ => C::gelu(C::float_log1p(square(x))),
    }
}
