//! Modules and batches on two devices.

use burn::module::{Module, ParamGroup};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor};
use burnscape::loss::{Batch, LossError, Risk};
use burnscape::space::{ParamSpace, ParamVector, SpaceError};

#[allow(
    deprecated,
    reason = "the only second device that every machine has; Burn deprecates its constructor"
)]
fn second_device() -> Device {
    Device::ndarray()
}

#[derive(Module, Debug)]
struct Spread {
    left: Linear,
    right: Linear,
}

fn spread() -> Spread {
    Spread {
        left: LinearConfig::new(2, 2).init(&Device::flex().autodiff()),
        right: LinearConfig::new(2, 2).init(&second_device().autodiff()),
    }
}

#[test]
fn two_devices_are_refused_and_both_are_named() {
    let error = ParamSpace::of(&spread()).unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, SpaceError::TwoDevices { .. }));
    for part in [
        "`left.weight`",
        "Flex",
        "`right.weight`",
        "NdArray",
        "Module::fork",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_group_on_one_device_is_a_space() {
    let model = spread();
    let space = ParamSpace::of_group(&model, &ParamGroup::from_predicate("right")).unwrap();
    assert_eq!(*space.device(), second_device());
    let vector = ParamVector::rademacher(&space, 3).unwrap();
    let moved = vector.perturb(&model, 0.5).unwrap();
    assert_eq!(moved.left.weight.val().device().inner(), Device::flex());
    assert_eq!(moved.right.weight.val().device().inner(), second_device());
    let step = ParamVector::from_module(&space, &moved).unwrap();
    let step = step.axpy(-1.0, &ParamVector::from_module(&space, &model).unwrap());
    assert!((step.unwrap().norm().unwrap() - 0.5 * 6.0_f64.sqrt()).abs() < 1e-6);
}

#[test]
fn one_frozen_half_leaves_one_device() {
    let model = spread().freeze_group(ParamGroup::from_predicate("left"));
    assert_eq!(ParamSpace::of(&model).unwrap().len(), 6);
}

#[test]
fn a_vector_of_one_device_is_refused_by_a_model_on_another() {
    let here = LinearConfig::new(2, 2).init(&Device::flex());
    let there = LinearConfig::new(2, 2).init(&second_device());
    let space = ParamSpace::of(&here).unwrap();
    let vector = ParamVector::rademacher(&space, 3).unwrap();
    let message = vector.perturb(&there, 1.0).unwrap_err().to_string();
    assert!(
        message.contains("Flex") && message.contains("NdArray"),
        "{message}"
    );
    let other = ParamVector::rademacher(&ParamSpace::of(&there).unwrap(), 3).unwrap();
    assert!(matches!(
        vector.dot(&other),
        Err(SpaceError::DifferentSpaces { .. })
    ));
    // The same seed, the same direction on every device.
    assert_eq!(vector.to_host().unwrap(), other.to_host().unwrap());
}

#[test]
fn a_spread_model_has_a_loss_and_a_gradient_of_each_half() {
    let model = spread();
    let x = Tensor::<2>::from_floats([[1.0, 2.0]], &Device::flex());
    let loss = |model: &Spread, x: Tensor<2>| {
        let hidden = model.left.forward(x).to_device(&second_device());
        model.right.forward(hidden).sum()
    };
    let data = [x];
    let risk = Risk::new(&loss, &data);
    assert!(risk.loss(&model).is_ok());
    let error = risk.loss_and_gradient(&model).unwrap_err();
    assert!(matches!(
        error,
        LossError::Space(SpaceError::TwoDevices { .. })
    ));
    let risk = risk.with_group(ParamGroup::from_path("right.bias"));
    let gradient = risk.loss_and_gradient(&model).unwrap().gradient;
    assert_eq!(gradient.to_host().unwrap(), [1.0, 1.0]);
}

#[test]
fn a_batch_moves_as_a_whole() {
    let here = Device::flex();
    let batch = (
        vec![Tensor::<2>::from_floats([[1.0], [2.0]], &here)],
        Some(Tensor::<1, Int>::from_ints([3, 4], &here)),
    );
    let (floats, ints) = Batch::to_device(batch, &second_device());
    assert_eq!(floats[0].device(), second_device());
    let ints = ints.unwrap();
    assert_eq!(ints.device(), second_device());
    assert_eq!(ints.into_data().iter::<i64>().collect::<Vec<_>>(), [3, 4]);
}
