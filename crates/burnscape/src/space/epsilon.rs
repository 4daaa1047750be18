use burn::tensor::DType;

/// The machine epsilon of an element type: the distance from 1 to the next larger number.
pub(crate) fn epsilon(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => f64::EPSILON,
        DType::F16 => 2.0_f64.powi(-10),
        DType::BF16 => 2.0_f64.powi(-7),
        _ => f64::from(f32::EPSILON),
    }
}

/// The most that rounding leaves of a vector of this length that is orthogonal to others: a vector with a smaller part
/// outside of their span counts as parallel to them.
pub(crate) fn parallel_bound(length: f64, dtype: DType) -> f64 {
    100.0 * epsilon(dtype) * length
}
