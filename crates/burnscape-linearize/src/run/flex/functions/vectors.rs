//! Loops over numbers, compiled once for each set of vector instructions and selected for the processor that runs them.

use macerator::{AutoArch, Simd, WithSimd};

use super::Function;
use super::formulas::{erf, exp, sigmoid, tanh};
use super::normal::Normal;
use super::softmax::{log_softmax, softmax};

/// Replaces each number by its function, or each row by its.
pub(super) fn vectorized<T: Normal>(function: Function, row: usize, values: &mut [T]) {
    AutoArch::new().dispatch(Overwrite {
        function,
        row: row.max(1),
        values,
    });
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

pub(super) use each;

struct Overwrite<'a, T> {
    function: Function,
    row: usize,
    values: &'a mut [T],
}

impl<T: Normal> WithSimd for Overwrite<'_, T> {
    type Output = ();

    // All of it is inlined into a function that may use the instructions of the processor.
    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let Self {
            function,
            row,
            values,
        } = self;
        match function {
            Function::Exp => each!(values, |x| exp(x)),
            Function::Tanh => each!(values, |x| tanh(x)),
            Function::Sigmoid => each!(values, |x| sigmoid(x)),
            Function::Erf => each!(values, |x| erf(x)),
            Function::NormalDistribution => each!(values, |x| x.normal_distribution()),
            Function::Softmax => {
                for row in values.chunks_exact_mut(row) {
                    softmax(row);
                }
            }
            Function::LogSoftmax => {
                for row in values.chunks_exact_mut(row) {
                    log_softmax(row);
                }
            }
        }
    }
}
