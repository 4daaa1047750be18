use burn::tensor::{DType, TensorData};
use macerator::{AutoArch, Simd, WithSimd};
use rayon::prelude::*;

use super::super::FlexTensor;
use super::Function;
use super::formulas::{erf, exp, sigmoid, tanh};
use super::normal::Normal;

/// As many numbers as are worth handing to another thread: some ten microseconds of work.
pub(super) const CHUNK: usize = 1 << 14;

/// The function of each number of a tensor, in place where nothing else reads its memory.
pub(super) fn applied(function: Function, tensor: FlexTensor) -> FlexTensor {
    match tensor.dtype() {
        DType::F64 => applied_to::<f64>(function, tensor),
        _ => applied_to::<f32>(function, tensor),
    }
}

fn applied_to<T: Stored>(function: Function, mut tensor: FlexTensor) -> FlexTensor {
    let len = T::stored(&tensor).len();
    // Functions of single numbers commute with views. So a transposed tensor keeps its layout, and an expanded one
    // is computed once for each number in memory. Only a part of a larger memory is gathered first.
    let is_whole = len <= tensor.layout().num_elements();
    if !is_whole {
        tensor = tensor.to_contiguous();
    }
    let (start, end) = match tensor.layout().contiguous_offsets() {
        Some(offsets) if !is_whole => offsets,
        _ => (0, len),
    };
    if let Some(values) = T::stored_mut(&mut tensor) {
        overwrite(function, &mut values[start..end]);
        return tensor;
    }
    let values = computed(function, &T::stored(&tensor)[start..end]);
    let layout = tensor.layout().clone();
    if is_whole {
        FlexTensor::from_data(TensorData::new(values, [len])).with_layout(layout)
    } else {
        FlexTensor::from_data(TensorData::new(values, layout.shape().clone()))
    }
}

/// Replaces each number by its function, on all threads.
pub(super) fn overwrite<T: Normal>(function: Function, values: &mut [T]) {
    if values.len() < 2 * CHUNK {
        return vectorized(function, values);
    }
    let chunks = values.par_chunks_mut(CHUNK);
    chunks.for_each(|chunk| vectorized(function, chunk));
}

/// The function of each number, on all threads.
fn computed<T: Normal>(function: Function, values: &[T]) -> Vec<T> {
    if values.len() < 2 * CHUNK {
        let mut results = values.to_vec();
        vectorized(function, &mut results);
        return results;
    }
    // Each thread copies its own chunk, so that the new memory is touched first by the thread that uses it.
    let mut results = vec![T::ZERO; values.len()];
    let chunks = results.par_chunks_mut(CHUNK).zip(values.par_chunks(CHUNK));
    chunks.for_each(|(results, values)| {
        results.copy_from_slice(values);
        vectorized(function, results);
    });
    results
}

/// Replaces each number by its function, with the widest vectors of the processor.
fn vectorized<T: Normal>(function: Function, values: &mut [T]) {
    AutoArch::new().dispatch(Overwrite { function, values });
}

/// A loop that the compiler turns into vector instructions. Not a function of a function, as the compiler may not inline
/// the call of its argument.
macro_rules! each {
    ($values:ident, $function:expr) => {
        for value in $values {
            *value = $function(*value);
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
    fn with_simd<S: Simd>(self) {
        let values = self.values;
        match self.function {
            Function::Exp => each!(values, exp),
            Function::Tanh => each!(values, tanh),
            Function::Sigmoid => each!(values, sigmoid),
            Function::Erf => each!(values, erf),
            Function::NormalDistribution => each!(values, T::normal_distribution),
        }
    }
}

/// Numbers that a tensor of Flex consists of.
trait Stored: Normal + burn::tensor::Element {
    fn stored(tensor: &FlexTensor) -> &[Self];
    /// `None` if the memory is shared.
    fn stored_mut(tensor: &mut FlexTensor) -> Option<&mut [Self]>;
}

macro_rules! stored {
    ($($type:ty)+) => {$(
        impl Stored for $type {
            fn stored(tensor: &FlexTensor) -> &[Self] {
                tensor.storage()
            }

            fn stored_mut(tensor: &mut FlexTensor) -> Option<&mut [Self]> {
                tensor.try_storage_mut()
            }
        }
    )+};
}

stored!(f32 f64);
