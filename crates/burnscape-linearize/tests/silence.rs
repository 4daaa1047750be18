//! A refused trace prints nothing; panics elsewhere are printed as usual.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation fails the test"
)]

use std::process::Command;

use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use burnscape_linearize::{GradientTrace, LinearizeError};

/// Set in the process whose standard error is looked at.
const CHILD: &str = "BURNSCAPE_TEST_CHILD";

fn refused(loss: impl FnOnce(&Linear, Tensor<2>) -> Tensor<1>) -> LinearizeError {
    let device = Device::flex();
    let model = LinearConfig::new(2, 1).init(&device.clone().autodiff());
    let x = Tensor::<2>::ones([1, 2], &device);
    let trace = GradientTrace::new(model, device.settings(), |inputs| inputs.float(x), loss);
    trace.map(|_| ()).expect_err("a refusal")
}

fn reads(linear: &Linear, x: Tensor<2>) -> Tensor<1> {
    let loss = linear.forward(x).sum();
    assert!(loss.clone().into_scalar::<f32>() > 0.0);
    loss
}

/// Not a test by itself: what the tests below run in a process of its own.
#[test]
fn child() {
    match std::env::var(CHILD).as_deref() {
        Ok("refused") => {
            for _ in 0..3 {
                refused(reads);
                refused(|_, _| panic!("mine"));
            }
        }
        Ok("another thread") => {
            refused(|linear, x| {
                let other = std::thread::spawn(|| panic!("of another thread"));
                assert!(other.join().is_err());
                reads(linear, x)
            });
        }
        Ok("afterwards") => {
            refused(reads);
            let own = std::panic::catch_unwind(|| panic!("after the trace"));
            assert!(own.is_err());
        }
        Ok("own hook") => {
            std::panic::set_hook(Box::new(|_| eprintln!("the user's hook")));
            refused(reads);
            let own = std::panic::catch_unwind(|| panic!("after the trace"));
            assert!(own.is_err());
        }
        _ => (),
    }
}

/// Standard error of a child, without what the test harness does.
fn printed(what: &str) -> String {
    let this = std::env::current_exe().expect("this binary");
    let child = Command::new(this)
        .args(["--exact", "child", "--nocapture", "--test-threads", "1"])
        .env(CHILD, what)
        .env("RUST_BACKTRACE", "1")
        .output()
        .expect("a child");
    assert!(child.status.success(), "{child:?}");
    String::from_utf8_lossy(&child.stderr).into_owned()
}

#[test]
fn a_refused_trace_prints_nothing() {
    assert_eq!(printed("refused"), "");
}

#[test]
fn a_panic_of_another_thread_during_a_trace_still_prints() {
    let printed = printed("another thread");
    assert!(printed.contains("of another thread"), "{printed}");
    assert!(!printed.contains("concrete value"), "{printed}");
}

#[test]
fn panics_after_a_trace_print_as_before() {
    let printed = printed("afterwards");
    assert!(printed.contains("after the trace"), "{printed}");
    assert!(!printed.contains("concrete value"), "{printed}");
}

#[test]
fn a_hook_that_was_there_is_called_for_what_is_not_ours() {
    assert_eq!(printed("own hook"), "the user's hook\n");
}
