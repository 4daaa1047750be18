//! Single precision, which devices start with. What a test needs that runs in both: see [`double`](crate::double).

use burn::tensor::{DType, Device};

/// The element type.
pub const DTYPE: DType = DType::F32;
/// Its name.
pub const NAME: &str = "f32";
/// The distance from one to the next number.
pub const EPSILON: f64 = f32::EPSILON as f64;

/// Flex as it starts.
pub fn device() -> Device {
    Device::flex()
}

/// The nearest number of the element type.
pub fn rounded(value: f64) -> f64 {
    f64::from(value as f32)
}
