//! Waits for devices that do not answer.

use std::mem::forget;
use std::thread::sleep;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use burnscape::krylov::LinearOperator;
use burnscape::loss::DeviceError;
use burnscape::space::ParamVector;

use super::alone::alone;
use super::limit::within;
use super::problem::{Problem, Spread, device_error, device_of, numbers};
use super::proxy::{Fault, Proxy};
use super::runs::LIMIT;
use super::servers::{Server, child, connect, host, is_child};

/// More than a healthy device takes.
const WAIT: Duration = Duration::from_secs(3);

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
