//! Double precision as the device's default type, with the same names as [`single`](crate::single): a test that
//! runs in both says `crate::element`, and its binary which one that is.

use std::sync::Once;

use burn::tensor::{DType, Device, FloatDType};

/// The element type.
pub const DTYPE: DType = DType::F64;
/// Its name.
pub const NAME: &str = "f64";
/// The distance from one to the next number.
pub const EPSILON: f64 = f64::EPSILON;

/// Flex with double precision as its default, which is set once in a process: nothing may have used the device
/// otherwise before.
///
/// # Panics
///
/// If the device has been used.
#[allow(clippy::expect_used, reason = "a failed expectation fails the test")]
pub fn device() -> Device {
    static CONFIGURED: Once = Once::new();
    CONFIGURED.call_once(|| {
        Device::flex()
            .configure(FloatDType::F64)
            .expect("the first use of the device");
    });
    Device::flex()
}

/// The nearest number of the element type.
pub fn rounded(value: f64) -> f64 {
    value
}
