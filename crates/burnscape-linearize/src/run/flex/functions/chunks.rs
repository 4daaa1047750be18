//! The numbers of a tensor, in place or copied, in chunks on all threads.

use burn::tensor::{Element, TensorData};
use rayon::prelude::*;

use super::super::FlexTensor;
use super::normal::Normal;

/// As many numbers as are worth handing to another thread: some ten microseconds of work.
pub(super) const CHUNK: usize = 1 << 14;

/// Applies a kernel for any amount of numbers to all numbers of a tensor.
///
/// Functions of single numbers commute with views. So a transposed tensor keeps its layout, and an expanded one is computed
/// once for each number in memory. Only a part of a larger memory is gathered first.
pub(super) fn of_numbers<T: Stored>(
    mut tensor: FlexTensor,
    kernel: impl Fn(&mut [T]) + Send + Sync,
) -> FlexTensor {
    let len = T::stored(&tensor).len();
    if len > tensor.layout().num_elements() {
        return of_rows(tensor, 1, kernel);
    }
    if let Some(values) = T::stored_mut(&mut tensor) {
        overwrite(values, CHUNK, kernel);
        return tensor;
    }
    let values = computed(T::stored(&tensor), CHUNK, kernel);
    FlexTensor::from_data(TensorData::new(values, [len])).with_layout(tensor.layout().clone())
}

/// Applies a kernel for whole rows to a tensor whose last axis has rows of this length.
pub(super) fn of_rows<T: Stored>(
    tensor: FlexTensor,
    row: usize,
    kernel: impl Fn(&mut [T]) + Send + Sync,
) -> FlexTensor {
    let mut tensor = tensor.to_contiguous();
    let shape = tensor.layout().shape().clone();
    let start = tensor.layout().start_offset();
    let end = start + shape.num_elements();
    let row = row.max(1);
    let chunk = row * (CHUNK / row).max(1);
    if let Some(values) = T::stored_mut(&mut tensor) {
        overwrite(&mut values[start..end], chunk, kernel);
        return tensor;
    }
    let values = computed(&T::stored(&tensor)[start..end], chunk, kernel);
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// Applies a kernel to each chunk, on all threads where there are several.
pub(super) fn overwrite<T: Send>(
    values: &mut [T],
    chunk: usize,
    kernel: impl Fn(&mut [T]) + Send + Sync,
) {
    if values.len() < 2 * CHUNK {
        return kernel(values);
    }
    values.par_chunks_mut(chunk).for_each(kernel);
}

/// As [`overwrite`], of a copy.
fn computed<T: Normal>(
    values: &[T],
    chunk: usize,
    kernel: impl Fn(&mut [T]) + Send + Sync,
) -> Vec<T> {
    if values.len() < 2 * CHUNK {
        let mut results = values.to_vec();
        kernel(&mut results);
        return results;
    }
    // Each thread copies its own chunk, so that the new memory is touched first by the thread that uses it.
    let mut results = vec![T::ZERO; values.len()];
    let chunks = results.par_chunks_mut(chunk).zip(values.par_chunks(chunk));
    chunks.for_each(|(results, values)| {
        results.copy_from_slice(values);
        kernel(results);
    });
    results
}

/// Numbers that a tensor of Flex consists of.
pub(super) trait Stored: Normal + Element {
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
