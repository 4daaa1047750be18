//! A device whose numbers are f64 by default.

use burn::nn::{Linear, LinearConfig};
use burn::tensor::{DType, Tensor};
use burnscape::loss::{Mode, Risk};
use burnscape::space::{ParamSpace, ParamVector, UnfilteredRule};
use burnscape_testkit::double::device;

#[test]
fn a_device_set_to_f64_is_measured_in_f64() {
    let device = device();
    let model = LinearConfig::new(2, 1).init(&device.clone().autodiff());
    let space = ParamSpace::of(&model).unwrap();
    assert_eq!(space.dtype().unwrap(), DType::F64);
    let weights = ParamVector::from_host(&space, &[0.1, 0.2, 0.3]).unwrap();
    let model = weights.apply_to(&model).unwrap();

    let loss = |model: &Linear, x: Tensor<2>| model.forward(x).powi_scalar(2).mean();
    let data = [Tensor::<2>::from_data([[1.0, 2.0]], &device)];
    for mode in [Mode::Eval, Mode::Train] {
        let risk = Risk::new(&loss, &data).with_mode(mode);
        let result = risk.loss_and_gradient(&model).unwrap();
        // y = 0.1 + 0.4 + 0.3, L = y², ∇L = 2y (1, 2, 1).
        assert!((result.value - 0.64).abs() < 1e-15, "{}", result.value);
        let gradient = result.gradient.to_host().unwrap();
        for (found, expected) in gradient.iter().zip([1.6, 3.2, 1.6]) {
            assert!((found - expected).abs() < 1e-14, "{found} {expected}");
        }
    }
    for direction in [
        ParamVector::sphere(&space, 3).unwrap(),
        ParamVector::gaussian(&space, 3).unwrap(),
    ] {
        let normalized = direction.filter_normalize(&weights, UnfilteredRule::AsOneFilter);
        let norm = normalized.unwrap().norm().unwrap();
        assert!((norm - 0.14_f64.sqrt()).abs() < 1e-15, "{norm}");
    }
    let sphere = ParamVector::sphere(&space, 3).unwrap().norm().unwrap();
    assert!((sphere - 1.0).abs() < 1e-15, "{sphere}");
}
