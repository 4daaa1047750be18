//! Conversions of element types.

use burn::tensor::{DType, FloatDType, Tensor};

/// The values in the given element type; no copy if they already have it.
pub(crate) fn as_dtype(values: Tensor<1>, dtype: DType) -> Tensor<1> {
    if values.dtype() == dtype {
        values
    } else {
        values.cast(dtype)
    }
}

/// Half-precision values in f32, other values unchanged: the squares of f16 numbers leave its range.
pub(crate) fn as_accumulator<const D: usize>(values: Tensor<D>) -> Tensor<D> {
    match values.dtype() {
        DType::F16 | DType::BF16 => values.cast(FloatDType::F32),
        _ => values,
    }
}
