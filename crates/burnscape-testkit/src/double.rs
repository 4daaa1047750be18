//! Double precision as the default type of the device, with the same names as [`single`](crate::single). A test for
//! both uses `crate::element`, which its binary defines.

use std::sync::Once;

use burn::tensor::{DType, Device, FloatDType};

/// The element type.
pub const DTYPE: DType = DType::F64;
/// Its name.
pub const NAME: &str = "f64";
/// The machine epsilon.
pub const EPSILON: f64 = f64::EPSILON;

/// Flex with double precision as its default type. The type is set once per process, before any other use of the
/// device.
///
/// # Panics
///
/// If the device has already been used.
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

/// The nearest number of this element type.
pub fn rounded(value: f64) -> f64 {
    value
}
