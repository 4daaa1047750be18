//! Single precision, the default type of devices; for tests that run in both precisions, see
//! [`double`](crate::double).

use burn::tensor::{DType, Device};

/// The element type.
pub const DTYPE: DType = DType::F32;
/// Its name.
pub const NAME: &str = "f32";
/// The machine epsilon.
pub const EPSILON: f64 = f32::EPSILON as f64;

/// Flex with its default type.
pub fn device() -> Device {
    Device::flex()
}

/// The nearest number of this element type.
pub fn rounded(value: f64) -> f64 {
    f64::from(value as f32)
}
