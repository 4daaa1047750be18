//! Servers that refuse a client, are no servers, or are not there. Burn's error comes first; other devices go on.

use std::io::{Read, Write, copy, sink};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use burn::remote::{ConnectError, RemoteHost};
use burn::server::{AuthorizationRequest, RemoteServer, TokenAuthorizer};
use burn::tensor::Device;
use burnscape::krylov::LinearOperator;
use burnscape::space::ParamVector;

use super::alone::alone;
use super::limit::within;
use super::problem::{Problem, Spread, device_of, numbers};
use super::runs::{LIMIT, WAIT};
use super::servers::{Server, host};

/// Connects, and returns the error.
pub(crate) fn refused(host: &RemoteHost, index: usize) -> ConnectError {
    let options = Device::remote_options(host).device_index(index);
    let name = format!("{host:?}");
    let error = within(LIMIT, &name, move || options.init()).unwrap_err();
    println!("{error}");
    error
}

/// A product on Flex and this device is that of Flex.
pub(crate) fn works(device: Device) {
    within(LIMIT, "a device that works", move || {
        let devices = [Device::flex(), device];
        let problem = Problem::on(&devices[0]);
        let [one, other] = [Spread::One, Spread::InOrder(&devices)].map(|spread| {
            let hessian = problem.spread(spread).hessian(&problem.net).unwrap();
            let v = ParamVector::rademacher(hessian.space(), 7).unwrap();
            numbers(hessian.matvec(&v))
        });
        assert_eq!(one, other);
    });
}

/// Reads the head of a request or of an answer, which is passed on.
fn pass_head(from: &mut TcpStream, to: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        from.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    to.write_all(&head).unwrap();
}

/// A server that greets like the one at this address, and answers the first message with `message`.
fn impostor(server: SocketAddr, message: &[u8]) -> RemoteHost {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // A binary frame of fewer than 126 bytes.
    let mut frame = vec![0x82, u8::try_from(message.len()).unwrap()];
    frame.extend(message);
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut server = TcpStream::connect(server).unwrap();
        pass_head(&mut client, &mut server);
        pass_head(&mut server, &mut client);
        client.write_all(&frame).unwrap();
        // Until the client leaves.
        let _ = copy(&mut client, &mut sink());
    });
    host(address)
}

#[test]
fn a_wrong_token_is_refused_and_the_right_one_works() {
    alone(
        "refusals::a_wrong_token_is_refused_and_the_right_one_works",
        || {
            let authorizer = TokenAuthorizer::new("right").unwrap();
            let server = RemoteServer::new([Device::flex()]).with_authorizer(authorizer);
            let server = Server::of(&server);
            let host = host(server.address());
            for stranger in [host.clone(), host.clone().with_credential("wrong")] {
                let error = refused(&stranger, 0);
                assert!(matches!(error, ConnectError::Unauthorized), "{error:?}");
            }
            let host = host.with_credential("right");
            let error = refused(&host, 1);
            assert!(
                matches!(error, ConnectError::NoSuchDevice { device_count: 1 }),
                "{error:?}"
            );
            works(Device::remote_options(&host).init().unwrap());
        },
    );
}

#[test]
fn no_token_is_in_an_error_or_in_the_name_of_a_device() {
    alone(
        "refusals::no_token_is_in_an_error_or_in_the_name_of_a_device",
        || {
            let (token, other) = ("xylophone-4711", "zeppelin-1174");
            let authorizer = TokenAuthorizer::new(token).unwrap();
            let server = RemoteServer::new([Device::flex()]).with_authorizer(authorizer);
            let mut server = Server::of(&server);
            let stranger = host(server.address()).with_credential(other);
            let host = host(server.address()).with_credential(token);
            let mut told = vec![format!("{host:?}")];
            for error in [refused(&stranger, 0), refused(&host, 1)] {
                told.push(format!("{error} {error:?}"));
            }
            let device = Device::remote_options(&host).init().unwrap();
            told.push(format!("{device:?}"));
            let of_lists = within(LIMIT, "a device with a token", move || {
                let mut told = Vec::new();
                let devices = [Device::flex(), device];
                let problem = Problem::on(&devices[0]);
                let risk = problem.spread(Spread::Over(&devices));
                let risk = risk.with_wait_limit(WAIT);
                let hessian = risk.hessian(&problem.net).unwrap();
                for work in risk.device_work() {
                    told.push(format!("{work} {work:?}"));
                }
                let twice = risk
                    .clone()
                    .with_devices([devices[1].clone(), devices[1].clone()]);
                let error = twice.loss(&problem.net).unwrap_err();
                told.push(format!("{error} {error:?}"));
                let v = ParamVector::rademacher(hessian.space(), 7).unwrap();
                server.stop();
                let error = hessian.matvec(&v).map(drop).unwrap_err();
                assert_eq!(device_of(&error), Some(1), "{error}");
                told.push(format!("{error} {error:?}"));
                told
            });
            for text in told.iter().chain(&of_lists) {
                println!("{text}");
                assert!(!text.contains(token) && !text.contains(other), "{text}");
            }
        },
    );
}

#[test]
fn a_device_that_is_refused_at_its_first_use_is_an_error() {
    alone(
        "refusals::a_device_that_is_refused_at_its_first_use_is_an_error",
        || {
            let server = RemoteServer::new([Device::flex(), Device::flex()]);
            let server = Server::of(&server.with_authorizer(
                |request: AuthorizationRequest<'_>| match request.device_index {
                    0 => Ok(()),
                    _ => Err("only the first device".to_string()),
                },
            ));
            let listed = host(server.address()).devices().unwrap().into_vec();
            works(listed[0].clone());
            within(LIMIT, "a device that is refused", move || {
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

#[test]
fn a_server_of_another_version_is_refused_by_name() {
    alone(
        "refusals::a_server_of_another_version_is_refused_by_name",
        || {
            let server = Server::new(1);
            // `[content, id]`, where the content is a map of the name of the variant to its fields.
            let refusal = [
                &[0x92, 0x81, 0xab][..],
                b"InitRefused",
                &[0x81, 0xb4],
                b"IncompatibleProtocol",
                &[0x91, 77, 0x00],
            ];
            let error = refused(&impostor(server.address(), &refusal.concat()), 0);
            assert!(
                matches!(
                    error,
                    ConnectError::IncompatibleProtocol {
                        server_version: 77,
                        ..
                    }
                ),
                "{error:?}"
            );
            works(server.device(0));
        },
    );
}

#[test]
fn a_server_that_answers_with_something_else_is_refused() {
    alone(
        "refusals::a_server_that_answers_with_something_else_is_refused",
        || {
            let server = Server::new(1);
            // No MessagePack begins with this byte.
            let error = refused(&impostor(server.address(), &[0xc1; 40]), 0);
            assert!(matches!(error, ConnectError::Handshake { .. }), "{error:?}");
            works(server.device(0));
        },
    );
}

#[test]
fn a_closed_port_is_an_error_after_the_attempts_of_burn() {
    alone(
        "refusals::a_closed_port_is_an_error_after_the_attempts_of_burn",
        || {
            // Ports that the system gives away are above: no other test opens this one. Burn tries for 16 seconds.
            let error = refused(&RemoteHost::websocket("ws://127.0.0.1:1"), 0);
            assert!(
                matches!(error, ConnectError::Unreachable { .. }),
                "{error:?}"
            );
        },
    );
}

/// Burn 0.22.1 has no limit for the greeting: `init` on a port that accepts and says nothing returns when the other end
/// closes, or never. A thread with a limit of its own goes on, and so do other connections.
#[test]
fn a_port_that_does_not_answer_blocks_one_thread_and_no_other_device() {
    alone(
        "refusals::a_port_that_does_not_answer_blocks_one_thread_and_no_other_device",
        || {
            let silent = TcpListener::bind("127.0.0.1:0").unwrap();
            let options = Device::remote_options(&host(silent.local_addr().unwrap()));
            let (sender, receiver) = channel();
            thread::spawn(move || {
                // Nobody waits any more after the limit.
                let _ = sender.send(options.init());
            });
            let answer = receiver.recv_timeout(Duration::from_secs(2));
            assert!(!matches!(answer, Ok(Ok(_))), "{answer:?}");
            works(Server::new(1).device(0));
            drop(silent);
        },
    );
}
