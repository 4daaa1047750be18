//! Lists of devices that cannot be used, and what the errors say.

use std::time::Duration;

use burn::module::Module;
use burn::tensor::{DType, Device};
use burnscape::curvature::CurvatureError;
use burnscape::krylov::LinearOperator;
use burnscape::landscape::{Direction, DirectionKind, LandscapeConfig, LandscapeError};
use burnscape::loss::{Batch, DeviceError, LossError, Reduction, Risk};
use burnscape::space::{Grid, ParamSpace, SpaceError};
use burnscape_testkit::models::TwoLayers;

use super::fixture::{Labeled, SIZES, batches, both, mean, net, second, split, vector};
use crate::element::{DTYPE, device};

/// The error of everything that is measured on a list of devices.
fn refused(devices: &[Device]) -> (DeviceError, String) {
    let (net, data) = (net(), batches(&SIZES));
    let risk = split(&data, Reduction::Mean).with_devices(devices.to_vec());
    let of_operator = |error| match error {
        CurvatureError::Loss(error) => error,
        other => panic!("{other:?}"),
    };
    let errors = [
        risk.loss(&net).map(drop).unwrap_err(),
        risk.loss_and_gradient(&net).map(drop).unwrap_err(),
        of_operator(risk.hessian(&net).map(drop).unwrap_err()),
        of_operator(risk.jacobian(&net).map(drop).unwrap_err()),
    ];
    for error in &errors {
        assert_eq!(*error, errors[0]);
    }
    let [error, ..] = errors;
    let text = error.to_string();
    let LossError::Device(error) = error else {
        panic!("{error:?}");
    };
    (*error, text)
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing: {text}");
    }
}

#[test]
fn a_list_of_no_devices_is_refused() {
    let (error, text) = refused(&[]);
    assert_eq!(error, DeviceError::NoDevice);
    assert_says(&text, &["at least one device"]);
}

#[test]
fn a_device_that_is_listed_twice_is_refused() {
    let (error, text) = refused(&[device(), second(), device()]);
    assert!(
        matches!(
            error,
            DeviceError::Twice {
                first: 0,
                second: 2,
                ..
            }
        ),
        "{error:?}"
    );
    assert_says(&text, &["Flex", "once"]);
    // With or without autodiff, it is the same device.
    let (error, _) = refused(&[device(), device().autodiff()]);
    assert!(
        matches!(
            error,
            DeviceError::Twice {
                first: 0,
                second: 1,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn a_model_on_a_device_that_is_not_listed_is_refused() {
    let (error, text) = refused(&[second()]);
    assert!(
        matches!(&error, DeviceError::NotListed { device } if device.contains("Flex")),
        "{error:?}"
    );
    assert_says(&text, &["Flex", "add that device", "Module::fork"]);
}

#[test]
fn a_listed_device_with_autodiff_is_that_device() {
    let (net, data) = (net(), batches(&SIZES));
    let plain = Risk::new(&mean, &data).with_devices(both());
    let listed = Risk::new(&mean, &data).with_devices(both().map(Device::autodiff));
    assert_eq!(listed.loss(&net), plain.loss(&net));
}

#[test]
fn a_wait_limit_of_zero_is_refused() {
    let (net, data) = (net(), batches(&SIZES));
    for devices in [vec![device()], both().to_vec()] {
        let risk = Risk::new(&mean, &data).with_devices(devices);
        let risk = risk.with_wait_limit(Duration::ZERO);
        let error = of_risk(risk.loss(&net));
        assert_eq!(error, DeviceError::NoWait);
        assert_says(&error.to_string(), &["zero", "with_wait_limit"]);
        assert_eq!(of_risk(risk.loss_and_gradient(&net)), error);
        assert_eq!(of_matrix(risk.hessian(&net)), error);
        // The last limit counts.
        let risk = risk.with_wait_limit(Duration::from_secs(600));
        assert!(risk.loss(&net).is_ok());
    }
}

#[test]
fn the_last_list_counts() {
    let (net, data) = (net(), batches(&SIZES));
    let none: [Device; 0] = [];
    let risk = Risk::new(&mean, &data).with_devices(none);
    let risk = risk.with_devices(both());
    assert!(risk.loss(&net).is_ok());
    assert_eq!(risk.device_work().len(), 2);
    let alone = risk.with_devices([device()]);
    let plain = Risk::new(&mean, &data);
    assert_eq!(alone.loss(&net), plain.loss(&net));
    // Not through a device of an earlier list: NdArray has no half precision.
    let there = net.clone().fork(&second());
    let cast = |net: &TwoLayers, batch: Labeled| {
        let x = batch.x.cast(DTYPE);
        mean(net, Labeled { x, ..batch })
    };
    let halves: Vec<Labeled> = data
        .iter()
        .map(|batch| Labeled {
            x: batch.x.clone().cast(DType::F16),
            y: batch.y.clone(),
        })
        .collect();
    let plain = Risk::new(&cast, &halves);
    let moved = plain.clone().with_devices([second()]);
    let error = moved.loss(&there).unwrap_err();
    assert!(matches!(error, LossError::Space(_)), "{error:?}");
    let back = moved.with_devices([device()]);
    assert_eq!(back.loss(&net), plain.loss(&net));
}

fn of_risk<T>(result: Result<T, LossError>) -> DeviceError {
    match result.map(drop) {
        Err(LossError::Device(error)) => *error,
        other => panic!("{other:?}"),
    }
}

fn of_matrix<T>(result: Result<T, CurvatureError>) -> DeviceError {
    match result.map(drop) {
        Err(CurvatureError::Loss(error)) => of_risk::<()>(Err(error)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_risk_keeps_the_device_of_the_model() {
    let (net, data) = (net(), batches(&SIZES));
    let risk = Risk::new(&mean, &data).with_devices(both());
    let error = of_risk(risk.without_device(2));
    let expected = DeviceError::NoSuchDevice {
        index: 2,
        devices: 2,
    };
    assert_eq!(error, expected);
    assert_says(&error.to_string(), &["device 2", "below 2"]);
    let left = risk.without_device(0).unwrap();
    let error = of_risk(left.loss(&net));
    assert!(matches!(error, DeviceError::NotListed { .. }), "{error:?}");
    // It serves a model on the other device.
    let there = net.clone().fork(&second());
    assert!(left.loss(&there).is_ok());
    let error = of_risk(left.without_device(0).and_then(|risk| risk.loss(&there)));
    assert_eq!(error, DeviceError::NoDevice);
    // Without a list there is nothing to leave out.
    of_risk(Risk::new(&mean, &data).without_device(0));
}

#[test]
fn an_operator_keeps_the_device_of_the_model() {
    let (net, data) = (net(), batches(&SIZES));
    let risk = split(&data, Reduction::Mean).with_devices(both());
    let error = of_matrix(risk.hessian(&net).unwrap().without_device(0));
    assert!(matches!(error, DeviceError::NotListed { .. }), "{error:?}");
    let error = of_matrix(risk.hessian(&net).unwrap().without_device(2));
    let expected = DeviceError::NoSuchDevice {
        index: 2,
        devices: 2,
    };
    assert_eq!(error, expected);
    let error = of_matrix(risk.jacobian(&net).unwrap().without_device(7));
    let expected = DeviceError::NoSuchDevice {
        index: 7,
        devices: 2,
    };
    assert_eq!(error, expected);
    // An operator of one device has none to leave out.
    let plain = split(&data, Reduction::Mean);
    of_matrix(plain.hessian(&net).unwrap().without_device(0));
}

#[test]
fn a_vector_on_another_device_is_refused() {
    let (net, data) = (net(), batches(&SIZES));
    let risk = Risk::new(&mean, &data).with_devices(both());
    let hessian = risk.hessian(&net).unwrap();
    let there = net.clone().fork(&second());
    let v = vector(&ParamSpace::of(&there).unwrap(), 3.0);
    let error = hessian.matvec(&v).map(drop).unwrap_err();
    assert!(
        matches!(
            error,
            CurvatureError::Space(SpaceError::DifferentSpaces { .. })
        ),
        "{error:?}"
    );
}

#[test]
fn operators_are_refused_as_on_one_device() {
    let (net, data) = (net(), batches(&SIZES));
    let both_say = |one: &Risk<'_, TwoLayers>, net: &TwoLayers| {
        let two = one.clone().with_devices(both());
        let [expected, found] =
            [one, &two].map(|risk| risk.hessian(net).map(drop).unwrap_err().to_string());
        assert_eq!(found, expected);
        found
    };
    let read = |net: &TwoLayers, batch: Labeled| {
        let loss = mean(net, batch);
        let value: f64 = loss.clone().into_scalar();
        loss * value
    };
    let text = both_say(&Risk::new(&read, &data), &net);
    assert_says(&text, &["into_scalar"]);
    let plain = Risk::new(&mean, &data);
    both_say(&plain.clone().with_block_size(0), &net);
    both_say(&plain, &net.clone().no_grad());
    // A batch of the first device, by its place in the whole data.
    let mut broken = data.clone();
    broken[3].x = broken[3].x.clone() * f64::NAN;
    let text = both_say(&Risk::new(&mean, &broken), &net);
    assert_says(&text, &["batch 3"]);
}

#[test]
fn batches_may_be_on_any_device() {
    // They are moved to the device that evaluates them.
    let (net, data) = (net(), batches(&SIZES));
    let there: Vec<Labeled> = data
        .iter()
        .map(|batch| Batch::to_device(batch.clone(), &second()))
        .collect();
    let [here, there] = [&data, &there].map(|data| Risk::new(&mean, data).with_devices(both()));
    assert_eq!(there.loss(&net), here.loss(&net));
    let [here, there] = [here, there].map(|risk| {
        let hessian = risk.hessian(&net).unwrap();
        let product = hessian.matvec(&vector(hessian.space(), 3.0));
        product.unwrap().to_host().unwrap()
    });
    assert_eq!(there, here);
}

#[test]
fn landscapes_refuse_threads_beside_devices_and_draws() {
    let (net, data) = (net(), batches(&SIZES));
    let space = ParamSpace::of(&net).unwrap();
    let kind = DirectionKind::Other("given".to_string());
    let directions = [Direction::new(kind, vector(&space, 3.0))];
    let plain = Risk::new(&mean, &data);
    let risk = plain.clone().with_devices(both());
    let config: LandscapeConfig<'_, TwoLayers> =
        LandscapeConfig::new([Grid::symmetric(0.5, 5).unwrap()]);
    let run = |config: &LandscapeConfig<'_, TwoLayers>, risk: &Risk<'_, TwoLayers>| {
        config.run(risk, &net, &directions).map(drop)
    };
    let threads = config.clone().with_threads(2);
    let error = run(&threads, &risk).unwrap_err();
    let expected = LandscapeError::ThreadsOnDevices {
        threads: 2,
        devices: 2,
    };
    assert_eq!(error, expected);
    assert_says(&error.to_string(), &["2", "with_threads"]);
    let seeded = risk.clone().with_draws_seed(1);
    let error = run(&config, &seeded).unwrap_err();
    assert_eq!(error, LandscapeError::DrawsOnThreads);
    assert_says(&error.to_string(), &["with_draws_seed", "with_devices"]);
    // Each alone is fine.
    assert_eq!(run(&threads, &plain), Ok(()));
    assert_eq!(run(&config, &risk), Ok(()));
    // A list that is wrong is as wrong here.
    let alone = plain.with_devices([second()]);
    let error = run(&config, &alone).unwrap_err();
    assert!(
        matches!(&error, LandscapeError::Loss(LossError::Device(error))
            if matches!(**error, DeviceError::NotListed { .. })),
        "{error:?}"
    );
}
