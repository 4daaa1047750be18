use burn::tensor::{DType, Device, Tensor};
use burnscape_linearize::caught;

use super::{SpaceError, to_host};

/// The device without autodiff, if it stores numbers of this type and returns them.
///
/// # Errors
///
/// [`SpaceError::BasisDevice`].
pub(super) fn usable(device: &Device, dtype: DType) -> Result<Device, SpaceError> {
    let failed = |message: String| SpaceError::BasisDevice {
        device: format!("{device:?}"),
        message,
    };
    // A device that does not exist panics.
    let tried = || {
        let device = device.clone().inner();
        let one = Tensor::<1>::ones([2], (&device, dtype)).sum();
        (device, to_host(one))
    };
    let (device, sum) = caught(tried, failed, |error| failed(error.to_string()))?;
    match sum.map_err(|error| failed(error.to_string()))?[..] {
        [2.0] => Ok(device),
        _ => Err(failed("the sum of two ones is not two".into())),
    }
}
