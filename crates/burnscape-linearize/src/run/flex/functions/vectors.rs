//! Loops over numbers, compiled once for each set of vector instructions and selected for the processor that runs them.

use pulp::{Simd, WithSimd};

use super::super::vectorized;
use super::Function;
use super::formulas::{erf, exp, sigmoid, tanh};
use super::normal::Normal;

/// Replaces each number by its function.
pub(super) fn vectorized<T: Normal>(function: Function, values: &mut [T]) {
    vectorized::vectorized(Overwrite { function, values });
}

/// A loop that the compiler turns into vector instructions. Not a function of a function, as the compiler may not inline
/// the call of its argument.
macro_rules! each {
    ($values:expr, |$x:ident| $result:expr) => {
        for value in $values {
            let $x = *value;
            *value = $result;
        }
    };
}

struct Overwrite<'a, T> {
    function: Function,
    values: &'a mut [T],
}

impl<T: Normal> WithSimd for Overwrite<'_, T> {
    type Output = ();

    // All of it is inlined into a function that may use the instructions of the processor.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { function, values } = self;
        match function {
            Function::Exp => each!(values, |x| exp(x)),
            Function::Tanh => each!(values, |x| tanh(x)),
            Function::Sigmoid => each!(values, |x| sigmoid(x)),
            Function::Erf => each!(values, |x| erf(x)),
            Function::NormalDistribution => each!(values, |x| x.normal_distribution()),
        }
    }
}
