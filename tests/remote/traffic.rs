//! What a product sends.

use burn::tensor::Device;
use burnscape::krylov::LinearOperator;
use burnscape::space::ParamVector;

use super::alone::alone;
use super::limit::within;
use super::problem::{Problem, Spread, numbers};
use super::proxy::{Fault, Proxy, Traffic};
use super::runs::LIMIT;
use super::servers::{Server, connect};

/// The bytes of a vector, and what the second product with an operator on Flex and so many sessions of a server sends.
fn second_product(hidden: usize, sessions: usize) -> (u64, Traffic) {
    let server = Server::new(sessions);
    let proxy = Proxy::new(server.address(), Fault::None);
    let remote = (0..sessions).map(|index| connect(proxy.address(), index));
    let devices: Vec<Device> = [Device::flex()].into_iter().chain(remote).collect();
    within(LIMIT, "two products", move || {
        let problem = Problem::wide(hidden, &devices[0]);
        let risk = problem.spread(Spread::Over(&devices));
        let opened = proxy.traffic();
        let hessian = risk.hessian(&problem.net).unwrap();
        let v = ParamVector::rademacher(hessian.space(), 7).unwrap();
        let made = proxy.traffic();
        let first = numbers(hessian.matvec(&v));
        let between = proxy.traffic();
        assert_eq!(numbers(hessian.matvec(&v)), first);
        let end = proxy.traffic();
        let vector = 4 * first.len() as u64;
        println!("{hidden} hidden units, a vector of {vector} bytes, {sessions} sessions");
        for (name, traffic) in [
            ("making the operator", made - opened),
            ("the first product", between - made),
            ("the second product", end - between),
        ] {
            let Traffic {
                sent,
                received,
                answers,
            } = traffic;
            println!("  {name}: {sent} bytes sent, {received} received in {answers} answers");
        }
        (vector, end - between)
    })
}

fn total(traffic: Traffic) -> u64 {
    traffic.sent + traffic.received
}

#[test]
fn a_product_sends_a_vector_there_and_one_back() {
    alone(
        "traffic::a_product_sends_a_vector_there_and_one_back",
        || {
            let (vector, small) = second_product(16, 1);
            let (wide_vector, wide) = second_product(1024, 1);
            for (vector, traffic) in [(vector, small), (wide_vector, wide)] {
                assert!(total(traffic) <= 3 * vector + (64 << 10), "{traffic:?}");
                // A read and a synchronization, and what a busy line cuts in pieces.
                assert!(traffic.answers <= 16, "{traffic:?}");
            }
            // What does not grow with the vector is the program.
            let grown = total(wide) - total(small);
            assert!(grown <= 3 * (wide_vector - vector), "{small:?}, {wide:?}");
        },
    );
}

#[test]
fn every_session_gets_a_vector_and_sends_one_back() {
    alone(
        "traffic::every_session_gets_a_vector_and_sends_one_back",
        || {
            for sessions in [1, 2, 4] {
                let (vector, traffic) = second_product(1024, sessions);
                let vectors = 2 * sessions as u64 * vector;
                let beside = (sessions as u64) * (16 << 10);
                let found = total(traffic);
                assert!(
                    (vectors..vectors + beside).contains(&found),
                    "{found} for {vectors}"
                );
                assert!(traffic.answers <= 16 * sessions as u64, "{traffic:?}");
            }
        },
    );
}
