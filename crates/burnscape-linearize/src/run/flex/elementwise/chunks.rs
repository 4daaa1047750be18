use burn::tensor::{ElementConversion, Shape, TensorData};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::super::FlexTensor;
use super::super::functions::{CHUNK, Stored};
use super::super::vectorized::vectorized;
use super::expression::{Code, Step};
use super::operand::{Broadcast, Numbers};

/// The numbers that all steps are done for before the next ones: the results of steps stay in the first cache.
const PIECE: usize = 512;

/// The result of a chain, in the memory of an input that nothing else reads, if there is one.
pub(super) fn computed<T: Stored>(
    steps: &[Step],
    inputs: Vec<FlexTensor>,
    shape: &Shape,
) -> FlexTensor {
    let len = shape.num_elements();
    let contiguous = inputs
        .into_iter()
        .map(|input| match input.layout().is_contiguous() {
            true => input,
            false => input.to_contiguous(),
        });
    let mut inputs: Vec<Option<FlexTensor>> = contiguous.map(Some).collect();
    let own = inputs.iter_mut().position(|input| {
        let is_whole = |input: &FlexTensor| {
            input.layout().num_elements() == len && T::stored(input).len() == len
        };
        let input = input.as_mut().filter(|input| is_whole(input));
        input.is_some_and(|input| T::stored_mut(input).is_some())
    });
    let mut own = own.and_then(|own| inputs[own].take());
    let numbers = inputs.iter().map(|input| match input {
        None => Numbers::Own,
        Some(input) => {
            let start = input.layout().start_offset();
            let numbers = &T::stored(input)[start..][..input.layout().num_elements()];
            match Broadcast::new(input.layout().shape(), shape) {
                Some(broadcast) if numbers.len() < len => Numbers::Repeated(numbers, broadcast),
                _ => Numbers::All(numbers),
            }
        }
    });
    let chain = Chain {
        steps,
        inputs: numbers.collect(),
    };
    if let Some(values) = own.as_mut().and_then(T::stored_mut) {
        chain.write(values);
    }
    own.unwrap_or_else(|| {
        let mut values = vec![T::ZERO; len];
        chain.write(&mut values);
        FlexTensor::from_data(TensorData::new(values, shape.clone()))
    })
}

struct Chain<'a, T> {
    steps: &'a [Step],
    inputs: Vec<Numbers<'a, T>>,
}

impl<T: Stored> Chain<'_, T> {
    fn write(&self, values: &mut [T]) {
        let work = |memory: &mut Vec<T>, (index, out): (usize, &mut [T])| {
            memory.resize((self.inputs.len() + self.steps.len()) * PIECE, T::ZERO);
            vectorized(Pieces {
                chain: self,
                start: index * CHUNK,
                out,
                memory,
            });
        };
        if values.len() < 2 * CHUNK {
            return work(&mut Vec::new(), (0, values));
        }
        let chunks = values.par_chunks_mut(CHUNK).enumerate();
        chunks.for_each_init(Vec::new, work);
    }
}

/// A part of the result.
struct Pieces<'a, T> {
    chain: &'a Chain<'a, T>,
    start: usize,
    out: &'a mut [T],
    /// A piece for each input and step.
    memory: &'a mut [T],
}

/// A loop that the compiler makes vectors of.
macro_rules! each {
    ($to:ident, $a:ident, $b:ident, |$x:ident, $y:ident| $result:expr) => {
        for ((to, $x), $y) in $to.iter_mut().zip($a).zip($b) {
            let ($x, $y) = (*$x, *$y);
            *to = $result;
        }
    };
    ($to:ident, $a:ident, |$x:ident| $result:expr) => {
        for (to, $x) in $to.iter_mut().zip($a) {
            let $x = *$x;
            *to = $result;
        }
    };
}

impl<T: Stored> WithSimd for Pieces<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self {
            chain: Chain { steps, inputs },
            start,
            out,
            memory,
        } = self;
        for (index, out) in out.chunks_mut(PIECE).enumerate() {
            let (start, len) = (start + index * PIECE, out.len());
            for (input, memory) in inputs.iter().zip(memory.chunks_exact_mut(PIECE)) {
                match input {
                    Numbers::All(_) => {}
                    Numbers::Own => memory[..len].copy_from_slice(out),
                    Numbers::Repeated(numbers, broadcast) => {
                        broadcast.repeat(numbers, start, &mut memory[..len]);
                    }
                }
            }
            for (index, step) in steps.iter().enumerate() {
                let (before, behind) = memory.split_at_mut((inputs.len() + index) * PIECE);
                let is_last = index + 1 == steps.len();
                let to = if is_last {
                    &mut *out
                } else {
                    &mut behind[..len]
                };
                let [a, b] = step.operands;
                let a = operand(inputs, before, a, start, len);
                let b = operand(inputs, before, b, start, len);
                let scalar: T = step.scalar.elem();
                match step.code {
                    Code::Add => each!(to, a, b, |a, b| a + b),
                    Code::Sub => each!(to, a, b, |a, b| a - b),
                    Code::Mul => each!(to, a, b, |a, b| a * b),
                    Code::Div => each!(to, a, b, |a, b| a / b),
                    Code::AddScalar => each!(to, a, |a| a + scalar),
                    Code::SubScalar => each!(to, a, |a| a - scalar),
                    Code::MulScalar => each!(to, a, |a| a * scalar),
                    Code::DivScalar => each!(to, a, |a| a / scalar),
                    Code::Mask => each!(to, a, b, |a, b| if a <= T::ZERO { T::ZERO } else { b }),
                }
            }
        }
    }
}

/// The numbers of an operand for one piece.
#[inline(always)]
fn operand<'n, T: Copy>(
    inputs: &'n [Numbers<'_, T>],
    memory: &'n [T],
    index: usize,
    start: usize,
    len: usize,
) -> &'n [T] {
    match inputs.get(index) {
        Some(Numbers::All(numbers)) => &numbers[start..][..len],
        _ => &memory[index * PIECE..][..len],
    }
}
