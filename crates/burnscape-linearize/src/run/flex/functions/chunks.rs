//! The numbers of a tensor, in place or copied, in chunks on all threads.

use burn::tensor::{Element, TensorData};
use rayon::prelude::*;

use super::super::FlexTensor;
use super::normal::Normal;

/// As many numbers as are worth handing to another thread: some ten microseconds of work.
pub(in super::super) const CHUNK: usize = 1 << 14;

/// Applies a kernel for any amount of numbers to all numbers of a tensor.
///
/// Functions of single numbers commute with views. So a transposed tensor keeps its layout, and an expanded one is computed
/// once for each number in memory. Only a part of a larger memory is gathered first.
pub(super) fn of_numbers<T: Stored>(
    mut tensor: FlexTensor,
    kernel: impl Fn(&mut [T]) + Send + Sync,
) -> FlexTensor {
    let len = T::stored(&tensor).len();
    let is_part = len > tensor.layout().num_elements();
    let (start, end) = if is_part {
        tensor = tensor.to_contiguous();
        let start = tensor.layout().start_offset();
        (start, start + tensor.layout().num_elements())
    } else {
        (0, len)
    };
    if let Some(values) = T::stored_mut(&mut tensor) {
        overwrite(&mut values[start..end], kernel);
        return tensor;
    }
    let layout = tensor.layout().clone();
    let values = computed(&T::stored(&tensor)[start..end], kernel);
    if is_part {
        FlexTensor::from_data(TensorData::new(values, layout.shape().clone()))
    } else {
        FlexTensor::from_data(TensorData::new(values, [len])).with_layout(layout)
    }
}

/// Applies a kernel to each chunk, on all threads where there are several.
pub(super) fn overwrite<T: Send>(values: &mut [T], kernel: impl Fn(&mut [T]) + Send + Sync) {
    if values.len() < 2 * CHUNK {
        return kernel(values);
    }
    values.par_chunks_mut(CHUNK).for_each(kernel);
}

/// As [`overwrite`], of a copy.
fn computed<T: Normal>(values: &[T], kernel: impl Fn(&mut [T]) + Send + Sync) -> Vec<T> {
    if values.len() < 2 * CHUNK {
        let mut results = values.to_vec();
        kernel(&mut results);
        return results;
    }
    // Each thread copies its own chunk, so that the new memory is touched first by the thread that uses it.
    let mut results = vec![T::ZERO; values.len()];
    let chunks = results.par_chunks_mut(CHUNK).zip(values.par_chunks(CHUNK));
    chunks.for_each(|(results, values)| {
        results.copy_from_slice(values);
        kernel(results);
    });
    results
}

/// Numbers that a tensor of Flex consists of.
pub(in super::super) trait Stored: Normal + Element {
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
