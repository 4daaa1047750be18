//! Devices whose numbers have different types by default.
//!
//! In a binary of its own: the type of a device is set once in a process, and this one sets that of Flex only.

use burn::tensor::Device;
use burnscape::curvature::CurvatureError;
use burnscape::loss::{DeviceError, LossError, Risk};

use super::fixture::{SIZES, batches, mean, net};
use crate::element::device;

#[test]
fn devices_of_different_float_types_are_refused() {
    #[allow(
        deprecated,
        reason = "the only second device that every machine has; Burn deprecates its constructor"
    )]
    let other = Device::ndarray();
    let (net, data) = (net(), batches(&SIZES));
    let risk = Risk::new(&mean, &data).with_devices([device(), other]);
    let of_operator = match risk.hessian(&net).map(drop) {
        Err(CurvatureError::Loss(error)) => error,
        other => panic!("{other:?}"),
    };
    let errors = [
        risk.loss(&net).map(drop).unwrap_err(),
        risk.loss_and_gradient(&net).map(drop).unwrap_err(),
        of_operator,
    ];
    for error in errors {
        let text = error.to_string();
        for part in ["Flex", "F64", "NdArray", "F32", "configure"] {
            assert!(text.contains(part), "`{part}` is missing: {text}");
        }
        let LossError::Device(error) = error else {
            panic!("{error:?}");
        };
        assert!(
            matches!(*error, DeviceError::FloatTypes { .. }),
            "{error:?}"
        );
    }
}
