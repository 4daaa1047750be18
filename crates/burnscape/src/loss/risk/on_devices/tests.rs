use burn::nn::{Linear, LinearConfig};
use burn::tensor::Tensor;

use std::sync::mpsc;

use super::*;
use crate::loss::{PerExample, Split};
use crate::space::{FlatSpace, SpaceError, waited};

fn data() -> Vec<Tensor<2>> {
    let device = Device::default();
    [3, 1, 4]
        .map(|rows| Tensor::ones([rows, 2], &device))
        .into()
}

fn loss(model: &Linear, x: Tensor<2>) -> Tensor<1> {
    (model.forward(x) - 0.3).square().mean()
}

#[test]
fn settings_do_not_depend_on_their_order() {
    let data = data();
    let risk = || -> Risk<'_, Linear> { Risk::new(&loss, &data) };
    let (list, limit) = ([Device::default()], Duration::from_secs(3));
    let risks = [
        risk()
            .with_devices(list.clone())
            .with_exact_order(true)
            .with_wait_limit(limit),
        risk()
            .with_wait_limit(limit)
            .with_exact_order(true)
            .with_devices(list),
    ];
    for risk in risks {
        let devices = risk.whole().devices().unwrap().clone();
        assert!(devices.exact_order());
        assert!(format!("{devices:?}").contains("Some(3s)"), "{devices:?}");
        assert_eq!(risk.device_work().len(), 1);
    }
    assert!(risk().device_work().is_empty());
}

#[test]
fn a_list_of_the_device_of_the_model_changes_no_bit() {
    let (device, data) = (Device::default(), data());
    let model = LinearConfig::new(2, 2).init(&device);
    let one: Risk<'_, Linear> = Risk::new(&loss, &data);
    let listed = one.clone().with_devices([device.autodiff()]);
    assert!(listed.spread(&model).unwrap().is_none());
    assert_eq!(listed.loss(&model), one.loss(&model));
    let [found, expected] = [listed, one].map(|risk| {
        let found = risk.loss_and_gradient(&model).unwrap();
        (found.value, found.gradient.to_host().unwrap())
    });
    assert_eq!(found, expected);
}

#[test]
fn a_list_of_one_device_has_the_limit_also_on_the_calling_thread() {
    let (device, data) = (Device::default(), data());
    let model = LinearConfig::new(2, 2).init(&device);
    let risk: Risk<'_, Linear> = Risk::new(&loss, &data);
    let risk = risk.with_devices([device]);
    assert!(risk.space(&model).unwrap().waits().is_none());
    let patient = risk.with_wait_limit(Duration::from_secs(60));
    let gradient = patient.loss_and_gradient(&model).unwrap().gradient;
    assert!(gradient.space().waits().is_some() && gradient.norm().is_ok());
    let hasty = patient.clone().with_wait_limit(Duration::from_millis(20));
    let (sender, receiver) = mpsc::channel::<()>();
    let found = hasty.in_time(&model, || {
        Ok::<_, LossError>(waited(move || receiver.recv().is_ok())?)
    });
    drop(sender);
    let name = hasty.device_work()[0].device.clone();
    let expected = DeviceError::TimedOut {
        device: name.clone(),
        index: 0,
        batch: None,
        seconds: 0.02,
        blocked_threads: 1,
    };
    assert_eq!(found, Err(expected.into()));
    let dead = LossError::from(DeviceError::Dead {
        device: name,
        index: 0,
    });
    assert_eq!(patient.loss(&model), Err(dead.clone()));
    let found = patient.loss_and_gradient(&model).map(drop);
    assert_eq!(found, Err(dead.clone()));
    let found = patient.check_parts(&model, 1);
    assert_eq!(found, Err(dead));
    let found = gradient.norm();
    assert!(
        matches!(found, Err(SpaceError::TimedOut { .. })),
        "{found:?}"
    );
}

#[test]
fn a_later_list_does_not_move_batches_through_the_device_of_an_earlier_one() {
    let (device, data) = (Device::default(), data());
    let plain: Risk<'_, Linear> = Risk::new(&loss, &data);
    let one = plain.clone().with_devices([device.clone()]);
    assert!(!Arc::ptr_eq(one.source(), plain.source()));
    // Also those of a copy.
    let again = one.clone().with_devices([device.clone()]);
    let unmoved = again.unmoved.as_ref().unwrap();
    assert!(Arc::ptr_eq(unmoved, plain.source()));
    let two = again.with_devices([device.clone(), device]);
    assert!(two.unmoved.is_none());
    assert!(Arc::ptr_eq(two.source(), plain.source()));
    let left = two.without_device(0).unwrap();
    let unmoved = left.unmoved.as_ref().unwrap();
    assert!(Arc::ptr_eq(unmoved, plain.source()));
}

#[test]
fn every_kind_loses_a_device_or_says_why_not() {
    let (device, data) = (Device::default(), data());
    let split: Risk<'_, Linear, Split> = Risk::split(
        |model: &Linear, x: &Tensor<2>| model.forward(x.clone()),
        |outputs: Tensor<2>, _: Tensor<2>| outputs.mean(),
        &data,
    );
    let missing = |index, devices| {
        let error = DeviceError::NoSuchDevice { index, devices };
        Some(LossError::from(error))
    };
    assert_eq!(split.without_device(0).err(), missing(0, 0));
    let twice = split.with_devices([device.clone(), device]);
    assert_eq!(twice.without_device(2).err(), missing(2, 2));
    let rest = twice.without_device(1).unwrap();
    let last = Some(LossError::from(DeviceError::NoDevice));
    assert_eq!(rest.without_device(0).err(), last);
    let model = LinearConfig::new(2, 1).init(&Device::default());
    assert!(matches!(twice.loss(&model), Err(LossError::Device(_))));
    assert!(rest.loss(&model).is_ok());
    let losses = |model: &Linear, x: Tensor<2>| model.forward(x).flatten(0, 1);
    let examples: Risk<'_, Linear, PerExample> = Risk::per_example(losses, &data);
    assert_eq!(examples.without_device(1).err(), missing(1, 0));
}

#[test]
fn batches_are_assigned_by_their_operations() {
    let (device, data) = (Device::default(), data());
    let model = LinearConfig::new(2, 2).init(&device);
    let devices = Devices::new([device.clone(), device]);
    let risk: Risk<'_, Linear> = Risk::new(&loss, &data);
    // 3, 1 and 4 rows.
    let owners = |costs: &Costs| [0, 1, 2].map(|batch| costs.owner(batch, || 1));
    let costs = risk.costs(&devices, Cost::Flops, &model).unwrap();
    assert_eq!(owners(&costs), [0, 1, 1]);
    // What cannot be traced is divided as it is read.
    let reads = |model: &Linear, x: Tensor<2>| {
        let sum: f32 = x.clone().sum().into_scalar();
        model.forward(x).mean() * sum
    };
    let risk: Risk<'_, Linear> = Risk::new(&reads, &data);
    let costs = risk.costs(&devices, Cost::Flops, &model).unwrap();
    assert_eq!(owners(&costs), [0, 1, 0]);
}
