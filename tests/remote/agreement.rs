//! Several devices give the numbers of one.

use burn::tensor::Device;
use burnscape::optim::AscentScope;

use super::alone::alone;
use super::limit::within;
use super::problem::{EIGENVECTORS, Found, PAIRS, Problem, Spread};
use super::runs::LIMIT;
use super::servers::{Server, ServerProcess};
use super::training::{on_devices, on_one};

/// Difference of single-precision numbers that are summed in another order, or by other kernels, relative to the
/// largest of them.
const ROUNDING: f64 = 1e-5;

/// Training adds up the differences of its steps.
const TRAINED: f64 = 1e-4;

/// How much less than one the cosine of two eigenvectors may be. In double precision the six largest eigenvalues are
/// 4.39, 3.14, 2.59, 2.17, 1.65 and 1.55, with distances of more than 0.02 of the largest one. A residual of 1e-4 of
/// that one turns a vector by 5e-3 at most, and vectors of two runs by 1e-2, where the cosine is 1 − 5e-5.
const TURNED: f64 = 1e-4;

/// Whether devices compute with the same code.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kernels {
    Same,
    #[cfg(feature = "ndarray")]
    Different,
}

type Measure = fn(&Problem, Spread<'_>) -> Found;

/// Everything on these devices, the first of which has the model, against one Flex device.
fn agree(devices: &[Device], kernels: Kernels) {
    let problem = Problem::on(&devices[0]);
    for measure in [Problem::curvature as Measure, Problem::landscape] {
        let one = measure(&Problem::on(&Device::flex()), Spread::One);
        let main = measure(&problem, Spread::InOrder(&devices[..1]));
        for spread in [Spread::Over(devices), Spread::InOrder(devices)] {
            let found = measure(&problem, spread);
            assert_same(&measure(&problem, spread), &found);
            assert_near(&found, &one, ROUNDING);
            if kernels == Kernels::Same && matches!(spread, Spread::InOrder(_)) {
                assert_same(&found, &main);
                // Bases of Krylov methods have inner products of their own on a server, which may have a GPU.
                let has_basis = |name: &str| {
                    ["eigenvalues", EIGENVECTORS].contains(&name) && devices[0] != Device::flex()
                };
                let comparable = |mut found: Found| {
                    found.retain(|(name, _)| !has_basis(name));
                    found
                };
                assert_same(&comparable(found), &comparable(one.clone()));
            }
        }
    }
    // A step divides its batch, so its sums are others than those of one device.
    for scope in [AscentScope::Shared, AscentScope::PerDevice] {
        let found = on_devices(devices, scope);
        assert_same(&on_devices(devices, scope), &found);
        assert_near(&found, &on_one(devices.len(), scope), TRAINED);
    }
}

#[track_caller]
fn assert_same(found: &Found, expected: &Found) {
    assert_eq!(found.len(), expected.len());
    for ((name, found), (_, expected)) in found.iter().zip(expected) {
        assert_eq!(found.len(), expected.len(), "{name}");
        let mut pairs = found.iter().zip(expected);
        let differs = pairs.position(|(found, expected)| found.to_bits() != expected.to_bits());
        if let Some(index) = differs {
            let (found, expected) = (found[index], expected[index]);
            panic!("{name}, number {index}: {found:e} is not {expected:e}");
        }
    }
}

#[track_caller]
fn assert_near(found: &Found, expected: &Found, tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for ((name, found), (_, expected)) in found.iter().zip(expected) {
        assert_eq!(found.len(), expected.len(), "{name}");
        if *name == EIGENVECTORS {
            assert_aligned(found, expected);
            continue;
        }
        let size = expected.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
        let pairs = found.iter().zip(expected);
        let worst = pairs.fold(0.0_f64, |worst, (x, y)| worst.max((x - y).abs()));
        assert!(worst <= tolerance * size, "{name}: {worst:e} of {size:e}");
    }
}

/// Eigenvectors one after another, up to their signs.
#[track_caller]
fn assert_aligned(found: &[f64], expected: &[f64]) {
    let dot = |u: &[f64], v: &[f64]| -> f64 { u.iter().zip(v).map(|(u, v)| u * v).sum() };
    let len = expected.len() / PAIRS;
    for (index, (u, v)) in found.chunks(len).zip(expected.chunks(len)).enumerate() {
        let cosine = dot(u, v).abs() / (dot(u, u) * dot(v, v)).sqrt();
        assert!(cosine >= 1.0 - TURNED, "eigenvector {index}: {cosine}");
    }
}

#[cfg(feature = "ndarray")]
#[allow(
    deprecated,
    reason = "the only second device that every machine has; Burn deprecates its constructor"
)]
fn ndarray() -> Device {
    Device::ndarray()
}

#[cfg(feature = "ndarray")]
#[test]
fn flex_and_ndarray_agree_with_flex() {
    alone("agreement::flex_and_ndarray_agree_with_flex", || {
        agree(&[Device::flex(), ndarray()], Kernels::Different);
    });
}

#[test]
fn two_sessions_of_a_server_agree_with_flex() {
    alone(
        "agreement::two_sessions_of_a_server_agree_with_flex",
        || {
            let server = Server::new(2);
            let devices = [server.device(0), server.device(1)];
            within(2 * LIMIT, "two sessions", move || {
                agree(&devices, Kernels::Same);
            });
        },
    );
}

#[test]
fn flex_and_a_server_agree_with_flex() {
    alone("agreement::flex_and_a_server_agree_with_flex", || {
        let server = Server::new(1);
        let devices = [Device::flex(), server.device(0)];
        within(2 * LIMIT, "Flex and a server", move || {
            agree(&devices, Kernels::Same);
        });
    });
}

#[test]
fn two_servers_and_a_server_process_agree_with_flex() {
    alone(
        "agreement::two_servers_and_a_server_process_agree_with_flex",
        || {
            let (one, other, process) = (Server::new(1), Server::new(1), ServerProcess::start());
            let devices = [one.device(0), other.device(0), process.device(1)];
            within(2 * LIMIT, "three servers", move || {
                agree(&devices, Kernels::Same);
            });
        },
    );
}
