//! Waits for devices that do not answer.

use std::iter;
use std::mem::forget;
use std::ops::ControlFlow;
use std::thread::sleep;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use burnscape::curvature::CurvatureError;
use burnscape::krylov::{EigenpairsConfig, LinearOperator, Which};
use burnscape::loss::{DeviceError, Risk, Split};
use burnscape::space::{ParamVector, SpaceError};
use burnscape_testkit::models::TwoLayers;

use super::alone::alone;
use super::limit::{in_vain, within};
use super::problem::{Problem, Spread, device_error, device_error_of_loss, device_of, numbers};
use super::proxy::{Fault, Proxy};
use super::runs::LIMIT;
use super::servers::{Server, child, connect, host, is_child};

/// More than a healthy device takes.
pub(crate) const WAIT: Duration = Duration::from_secs(3);

/// The line of the second device goes silent between two products.
fn waits_in_vain(proxy: &Proxy, devices: &[Device]) {
    let problem = Problem::on(&devices[0]);
    let risk = problem.spread(Spread::InOrder(devices));
    let risk = risk.with_wait_limit(WAIT);
    let hessian = risk.hessian(&problem.net).unwrap();
    let v = ParamVector::rademacher(hessian.space(), 7).unwrap();
    let expected = numbers(hessian.matvec(&v));
    proxy.silence();

    let begin = Instant::now();
    let error = hessian.matvec(&v).unwrap_err();
    println!("after {:?}: {error}", begin.elapsed());
    let Some(DeviceError::TimedOut {
        index: 1,
        seconds,
        blocked_threads,
        ..
    }) = device_error(&error)
    else {
        panic!("{error}");
    };
    assert!((seconds - WAIT.as_secs_f64()).abs() < 1.0, "{seconds}");
    assert!(*blocked_threads > 0);
    assert!(begin.elapsed() < 3 * WAIT);

    // It is not asked again, neither by this operator nor by another one of the risk.
    let begin = Instant::now();
    for error in [
        hessian.matvec(&v).unwrap_err(),
        risk.hessian(&problem.net).unwrap_err(),
    ] {
        let told = device_error(&error);
        assert!(
            matches!(told, Some(DeviceError::Dead { index: 1, .. })),
            "{error}"
        );
    }
    assert!(begin.elapsed() < WAIT);

    let rest = hessian.without_device(1).unwrap();
    assert_eq!(numbers(rest.matvec(&v)), expected);
}

/// Runs a case with the model on a device of a server, beside Flex and as the only one.
fn with_the_model_on_a_server(case: fn(&Proxy, &[Device])) {
    for others in [vec![Device::flex()], Vec::new()] {
        let server = Server::new(1);
        let proxy = Proxy::new(server.address(), Fault::None);
        let main = connect(proxy.address(), 0);
        let devices: Vec<Device> = iter::once(main).chain(others).collect();
        let name = format!("a silent line to the first of {} devices", devices.len());
        within(LIMIT, &name, move || case(&proxy, &devices));
    }
}

/// The risk on Flex alone, without the first device of its list.
fn without_the_first<'a>(
    risk: &Risk<'a, TwoLayers, Split>,
    devices: &[Device],
) -> Risk<'a, TwoLayers, Split> {
    match devices.len() {
        1 => risk.clone().with_devices([Device::flex()]),
        _ => risk.without_device(0).unwrap(),
    }
}

/// The line of the first device goes silent between two gradients.
fn waits_in_vain_for_the_model(proxy: &Proxy, devices: &[Device]) {
    let (problem, here) = (Problem::on(&devices[0]), Problem::on(&Device::flex()));
    let net = &problem.net;
    let risk = problem.spread(Spread::InOrder(devices));
    let risk = risk.with_wait_limit(WAIT);
    risk.loss_and_gradient(net).unwrap();
    proxy.silence();

    let error = in_vain(3 * WAIT, || risk.loss_and_gradient(net));
    let Some(DeviceError::TimedOut {
        index: 0,
        blocked_threads,
        ..
    }) = device_error_of_loss(&error)
    else {
        panic!("{error:?}");
    };
    assert!(*blocked_threads > 0);
    // It is not asked again.
    for error in [
        in_vain(WAIT, || risk.loss_and_gradient(net)),
        in_vain(WAIT, || risk.loss(net)),
    ] {
        let told = device_error_of_loss(&error);
        assert!(
            matches!(told, Some(DeviceError::Dead { index: 0, .. })),
            "{error:?}"
        );
    }

    let [found, expected] = [without_the_first(&risk, devices), here.risk()].map(|risk| {
        let found = risk.loss_and_gradient(&here.net).unwrap();
        (found.value.to_bits(), found.gradient.to_host().unwrap())
    });
    assert_eq!(found, expected);
}

#[test]
fn a_gradient_that_waits_in_vain_for_the_device_of_its_model_is_an_error() {
    alone(
        "silence::a_gradient_that_waits_in_vain_for_the_device_of_its_model_is_an_error",
        || with_the_model_on_a_server(waits_in_vain_for_the_model),
    );
}

/// The line of the first device goes silent after the fifth product of a run.
fn waits_in_vain_within_a_run(proxy: &Proxy, devices: &[Device]) {
    let (problem, here) = (Problem::on(&devices[0]), Problem::on(&Device::flex()));
    let risk = problem.spread(Spread::InOrder(devices));
    let risk = risk.with_wait_limit(WAIT);
    let hessian = risk.hessian(&problem.net).unwrap();
    let watched = (&hessian).observed(|step| {
        if step.num_matvecs >= 5 {
            proxy.silence();
        }
        ControlFlow::Continue(())
    });
    let config = EigenpairsConfig::new(3, Which::Largest).with_tolerance(1e-3);
    let error = in_vain(3 * WAIT, || config.run(&watched));
    // The thread of a device waits, or the calling thread for a sum or an inner product.
    let is_told = match &error {
        CurvatureError::Space(error) => matches!(error, SpaceError::TimedOut { .. }),
        _ => matches!(
            device_error(&error),
            Some(DeviceError::TimedOut { index: 0, .. })
        ),
    };
    assert!(is_told, "{error:?}");
    let error = in_vain(WAIT, || risk.hessian(&problem.net));
    let told = device_error(&error);
    assert!(
        matches!(told, Some(DeviceError::Dead { index: 0, .. })),
        "{error:?}"
    );
    // Neither do products and vectors of the operator wait once more.
    in_vain(WAIT, || config.run(&hessian));

    let [found, expected] = [without_the_first(&risk, devices), here.risk()].map(|risk| {
        let hessian = risk.hessian(&here.net).unwrap();
        config.run(&hessian).unwrap().values
    });
    assert_eq!(found, expected);
}

#[test]
fn a_run_that_waits_in_vain_for_the_device_of_its_model_is_an_error() {
    alone(
        "silence::a_run_that_waits_in_vain_for_the_device_of_its_model_is_an_error",
        || with_the_model_on_a_server(waits_in_vain_within_a_run),
    );
}

#[test]
fn a_wait_beyond_the_limit_is_an_error_and_the_device_is_dead() {
    alone(
        "silence::a_wait_beyond_the_limit_is_an_error_and_the_device_is_dead",
        || {
            let server = Server::new(1);
            let proxy = Proxy::new(server.address(), Fault::None);
            let devices = [Device::flex(), connect(proxy.address(), 0)];
            within(LIMIT, "a silent line", move || {
                waits_in_vain(&proxy, &devices)
            });
        },
    );
}

#[test]
#[ignore = "for another test, which starts it in a process of its own"]
fn ends_with_a_thread_that_waits() {
    if !is_child() {
        return;
    }
    let server = Server::new(1);
    let proxy = Proxy::new(server.address(), Fault::None);
    waits_in_vain(&proxy, &[Device::flex(), connect(proxy.address(), 0)]);
    // The line stays open and silent, so that the thread waits to the end of the process.
    forget((server, proxy));
}

#[test]
fn a_process_with_a_thread_that_waits_ends() {
    alone("silence::a_process_with_a_thread_that_waits_ends", || {
        let mut process = child("remote::silence::ends_with_a_thread_that_waits");
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = process.try_wait().unwrap() {
                break status;
            }
            if begin.elapsed() > LIMIT {
                process.kill().unwrap();
                panic!("the process did not end");
            }
            sleep(Duration::from_millis(50));
        };
        assert!(status.success(), "{status}");
    });
}

#[test]
fn a_listed_device_that_never_answers_is_an_error_within_the_limit() {
    alone(
        "silence::a_listed_device_that_never_answers_is_an_error_within_the_limit",
        || {
            let server = Server::new(2);
            let proxy = Proxy::new(server.address(), Fault::None);
            // The first device connects; the second one does so at its first use.
            let listed = host(proxy.address()).devices().unwrap().into_vec();
            proxy.silence();
            within(LIMIT, "a device that does not connect", move || {
                let devices = [Device::flex(), listed[1].clone()];
                let problem = Problem::on(&devices[0]);
                let risk = problem.spread(Spread::Over(&devices));
                let error = risk
                    .with_wait_limit(WAIT)
                    .hessian(&problem.net)
                    .unwrap_err();
                println!("{error}");
                assert_eq!(device_of(&error), Some(1), "{error}");
            });
        },
    );
}
