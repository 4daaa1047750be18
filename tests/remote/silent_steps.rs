//! Sharpness-aware steps that wait for a device that does not answer.

use burn::module::Module;
use burn::tensor::Device;
use burnscape::loss::{DeviceError, LossError};
use burnscape::optim::{AscentScope, OptimError, Sam, SamConfig, StepReport};
use burnscape::space::{ParamSpace, ParamVector, SpaceError};
use burnscape_testkit::models::TwoLayers;

use super::alone::each_alone;
use super::limit::{in_vain, within};
use super::problem::{Labeled, Problem, batch};
use super::proxy::{Fault, Proxy};
use super::runs::LIMIT;
use super::servers::{Server, connect};
use super::silence::WAIT;
use super::training::{EXAMPLES, loss, sam};

/// Two batches on a device.
fn batches(device: &Device) -> [Labeled; 2] {
    [0, 1].map(|index| {
        let (x, y) = batch((index, &EXAMPLES));
        (x.to_device(device), y.to_device(device))
    })
}

fn step(sam: &mut Sam, net: &mut TwoLayers, batch: &Labeled) -> Result<StepReport, OptimError> {
    sam.step_on_devices(0.2, net, batch.clone(), &loss)
}

fn weights(net: &TwoLayers) -> Vec<f64> {
    let space = ParamSpace::of(net).unwrap();
    let weights = ParamVector::from_module(&space, net).unwrap();
    weights.to_host().unwrap()
}

fn scope(name: &str) -> AscentScope {
    match name {
        "apart" => AscentScope::PerDevice,
        _ => AscentScope::Shared,
    }
}

/// Whether the step has waited for the device with this index, on the thread of a device.
fn has_timed_out(error: &OptimError, place: usize) -> bool {
    match error {
        OptimError::Loss(LossError::Device(error)) => {
            matches!(**error, DeviceError::TimedOut { index, .. } if index == place)
        }
        _ => false,
    }
}

fn is_dead(error: &OptimError, place: usize) -> bool {
    match error {
        OptimError::Loss(LossError::Device(error)) => {
            matches!(**error, DeviceError::Dead { index, .. } if index == place)
        }
        _ => false,
    }
}

#[test]
fn a_step_that_waits_in_vain_for_another_device_changes_nothing() {
    each_alone(
        "silent_steps::a_step_that_waits_in_vain_for_another_device_changes_nothing",
        ["together", "apart"],
        |part| {
            let scope = scope(part);
            let server = Server::new(1);
            let proxy = Proxy::new(server.address(), Fault::None);
            let remote = connect(proxy.address(), 0);
            within(LIMIT, "a silent device of a step", move || {
                let devices = [Device::flex(), remote];
                let [first, second] = batches(&devices[0]);
                let mut net = Problem::on(&devices[0]).net.train();
                let spread = sam(&SamConfig::new());
                let spread = spread.on_devices(devices, scope).unwrap();
                let mut spread = spread.with_wait_limit(WAIT);
                step(&mut spread, &mut net, &first).unwrap();
                let before = weights(&net);
                proxy.silence();

                let error = in_vain(3 * WAIT, || step(&mut spread, &mut net, &second));
                assert!(has_timed_out(&error, 1), "{error:?}");
                let error = in_vain(WAIT, || step(&mut spread, &mut net, &second));
                assert!(is_dead(&error, 1), "{error:?}");
                assert_eq!(weights(&net), before);

                let mut expected = net.clone();
                step(&mut sam(&SamConfig::new()), &mut expected, &second).unwrap();
                let mut rest = spread.on_devices([Device::flex()], scope).unwrap();
                step(&mut rest, &mut net, &second).unwrap();
                assert_eq!(weights(&net), weights(&expected));
            });
        },
    );
}

#[test]
fn a_step_that_waits_in_vain_for_the_device_of_its_model_is_an_error_within_the_limit() {
    each_alone(
        "silent_steps::a_step_that_waits_in_vain_for_the_device_of_its_model_is_an_error_within_the_limit",
        ["together", "apart", "without another device"],
        |part| {
            let scope = scope(part);
            let has_others = part != "without another device";
            let server = Server::new(1);
            let proxy = Proxy::new(server.address(), Fault::None);
            let mut devices = vec![connect(proxy.address(), 0)];
            devices.extend(has_others.then(Device::flex));
            within(LIMIT, "a silent device of a model", move || {
                // The only device of a list gets no part of the batch: the whole one is there.
                let [first, second] = batches(&devices[devices.len() - 1]);
                let mut net = Problem::on(&devices[0]).net.train();
                let spread = sam(&SamConfig::new()).with_wait_limit(WAIT);
                let mut spread = spread.on_devices(devices, scope).unwrap();
                step(&mut spread, &mut net, &first).unwrap();
                proxy.silence();

                let error = in_vain(3 * WAIT, || step(&mut spread, &mut net, &second));
                // What the calling thread reads from the model's device is an error of its own.
                let is_told = match &error {
                    OptimError::Space(error) | OptimError::Loss(LossError::Space(error)) => {
                        matches!(error, SpaceError::TimedOut { .. })
                    }
                    _ => has_timed_out(&error, 0),
                };
                assert!(is_told, "{error:?}");
                let error = in_vain(WAIT, || step(&mut spread, &mut net, &second));
                assert!(is_dead(&error, 0), "{error:?}");

                let here = Device::flex();
                let [_, second] = batches(&here);
                let [mut found, mut expected] = [(); 2].map(|()| Problem::on(&here).net.train());
                step(&mut sam(&SamConfig::new()), &mut expected, &second).unwrap();
                let mut rest = spread.on_devices([here], scope).unwrap();
                step(&mut rest, &mut found, &second).unwrap();
                assert_eq!(weights(&found), weights(&expected));
            });
        },
    );
}
