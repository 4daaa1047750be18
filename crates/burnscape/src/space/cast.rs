//! Changes of element type.

use burn::tensor::{DType, FloatDType, Tensor};

/// The values in an element type. Nothing is copied if they have it.
pub(super) fn as_dtype(values: Tensor<1>, dtype: DType) -> Tensor<1> {
    if values.dtype() == dtype {
        values
    } else {
        values.cast(dtype)
    }
}

/// Half-precision values are summed in f32: their squares leave the range of f16.
pub(crate) fn as_accumulator<const D: usize>(values: Tensor<D>) -> Tensor<D> {
    match values.dtype() {
        DType::F16 | DType::BF16 => values.cast(FloatDType::F32),
        _ => values,
    }
}
