//! Servers that end while an operator uses their devices.

use std::time::Duration;

use burn::tensor::Device;
use burnscape::curvature::CurvatureError;
use burnscape::krylov::LinearOperator;
use burnscape::loss::DeviceError;
use burnscape::space::{ParamVector, SpaceError};

use super::alone::alone;
use super::limit::within;
use super::problem::{Problem, Spread, device_error, device_of, numbers};
use super::runs::{LIMIT, STEPS, WAIT, begun, uninterrupted};
use super::servers::{Server, ServerProcess};

/// A run on Flex and this device, which ends after five steps.
pub(crate) fn survives(remote: Device, end: impl FnOnce() + Send + 'static) {
    within(LIMIT, "a device that ends", move || {
        let devices = [Device::flex(), remote];
        let problem = Problem::on(&devices[0]);
        let risk = problem.spread(Spread::InOrder(&devices));
        let hessian = risk.with_wait_limit(WAIT).hessian(&problem.net).unwrap();
        let mut run = begun(&hessian);
        run.extend(&hessian, 5).unwrap();
        end();
        // The operator may be asked again, and the factorization is as it was.
        for _ in 0..2 {
            let error = run.extend(&hessian, STEPS - 5).unwrap_err();
            println!("{error}");
            assert_eq!(device_of(&error), Some(1), "{error}");
            assert_eq!(run.num_matvecs(), 5);
        }
        let hessian = hessian.without_device(1).unwrap();
        run.extend(&hessian, STEPS - 5).unwrap();
        assert_eq!(&run.checkpoint().unwrap(), uninterrupted());
    });
}

#[test]
fn a_run_goes_on_without_a_server_that_stops() {
    alone("deaths::a_run_goes_on_without_a_server_that_stops", || {
        let mut server = Server::new(1);
        survives(server.device(0), move || server.stop());
    });
}

#[test]
fn a_run_goes_on_without_a_server_process_that_is_killed() {
    alone(
        "deaths::a_run_goes_on_without_a_server_process_that_is_killed",
        || {
            let mut process = ServerProcess::start();
            survives(process.device(0), move || process.kill());
        },
    );
}

#[test]
fn a_product_during_which_a_server_stops_is_right_or_an_error() {
    alone(
        "deaths::a_product_during_which_a_server_stops_is_right_or_an_error",
        || {
            let mut server = Server::new(1);
            let devices = [Device::flex(), server.device(0)];
            within(LIMIT, "a server that stops", move || {
                let problem = Problem::on(&devices[0]);
                let risk = problem.spread(Spread::InOrder(&devices));
                let hessian = risk.with_wait_limit(WAIT).hessian(&problem.net).unwrap();
                let v = ParamVector::rademacher(hessian.space(), 7).unwrap();
                let expected = numbers(hessian.matvec(&v));
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        std::thread::sleep(Duration::from_millis(100));
                        server.stop();
                    });
                    let error = loop {
                        match hessian.matvec(&v) {
                            Ok(product) => assert_eq!(product.to_host().unwrap(), expected),
                            Err(error) => break error,
                        }
                    };
                    assert_eq!(device_of(&error), Some(1), "{error}");
                });
                let rest = hessian.without_device(1).unwrap();
                assert_eq!(numbers(rest.matvec(&v)), expected);
            });
        },
    );
}

#[test]
fn without_the_device_of_its_model_an_operator_needs_a_copy_elsewhere() {
    alone(
        "deaths::without_the_device_of_its_model_an_operator_needs_a_copy_elsewhere",
        || {
            let mut server = Server::new(1);
            let devices = [server.device(0), Device::flex()];
            within(LIMIT, "the device of the model ends", move || {
                let problem = Problem::on(&devices[0]);
                let risk = problem.spread(Spread::InOrder(&devices));
                let risk = risk.with_wait_limit(WAIT);
                let hessian = risk.hessian(&problem.net).unwrap();
                let v = ParamVector::rademacher(hessian.space(), 7).unwrap();
                let expected = numbers(hessian.matvec(&v));
                server.stop();
                let product = hessian.matvec(&v).map(|product| product.to_host());
                // A worker or the calling thread was the first to read from it.
                let is_told = match &product {
                    Err(error @ CurvatureError::Loss(_)) => device_of(error) == Some(0),
                    Err(CurvatureError::Space(error)) | Ok(Err(error)) => {
                        matches!(error, SpaceError::Device { .. })
                    }
                    _ => false,
                };
                assert!(is_told, "{product:?}");

                let rest = risk.without_device(0).unwrap();
                let error = rest.hessian(&problem.net).unwrap_err();
                let told = device_error(&error);
                assert!(
                    matches!(told, Some(DeviceError::NotListed { .. })),
                    "{error}"
                );
                let here = Problem::on(&Device::flex());
                let hessian = rest.hessian(&here.net).unwrap();
                let v = ParamVector::rademacher(hessian.space(), 7).unwrap();
                assert_eq!(numbers(hessian.matvec(&v)), expected);
            });
        },
    );
}
