//! The example `serve`: on which interfaces it listens, and to whom.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, exit};
use std::time::Duration;
use std::{env, iter, thread};

use burn::remote::ConnectError;
use burn::tensor::Device;
use clap::Parser;

use super::alone::alone;
use super::refusals::{refused, works};
use super::serve::{Arguments, run};
use super::servers::{ServerProcess, host, ignored, is_child};

/// Tells the process of the example its arguments, one a line.
const ARGUMENTS: &str = "BURNSCAPE_TEST_ARGUMENTS";

/// Comes before the address in the output of the example.
const SERVES: &str = "Serving at ws://";

/// The example on a CPU, with these arguments and no token in its environment.
fn example(arguments: &[&str]) -> Command {
    let arguments = [&["--cpu", "1"][..], arguments].concat();
    let mut command = ignored("remote::example::runs_the_example");
    command.env(ARGUMENTS, arguments.join("\n"));
    command.env_remove("BURNSCAPE_TOKEN");
    command
}

/// Whether the port is open at another address of this machine than 127.0.0.1. On Linux this is one of them, at which a
/// server on all interfaces listens.
fn listens_elsewhere(port: u16) -> bool {
    let elsewhere = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), port));
    TcpStream::connect_timeout(&elsewhere, Duration::from_secs(2)).is_ok()
}

#[test]
#[ignore = "for other tests, which start it in a process of its own"]
fn runs_the_example() {
    if !is_child() {
        return;
    }
    // Should nobody kill it, no longer than a run of the tests.
    thread::spawn(|| {
        thread::sleep(Duration::from_secs(300));
        exit(1);
    });
    let arguments = env::var(ARGUMENTS).unwrap();
    let words = iter::once("serve").chain(arguments.lines());
    run(&Arguments::parse_from(words)).unwrap();
}

#[test]
fn without_a_token_it_serves_this_machine_only_and_says_so() {
    alone(
        "example::without_a_token_it_serves_this_machine_only_and_says_so",
        || {
            let mut server = ServerProcess::of(example(&["--port", "0"]), SERVES);
            let address = server.address();
            assert!(address.ip().is_loopback(), "{address}");
            let line = server.next_line();
            assert!(
                line.contains("only programs of this machine can connect"),
                "{line}"
            );
            assert!(!listens_elsewhere(address.port()));
            works(server.device(0));
        },
    );
}

#[test]
fn with_a_token_it_serves_those_who_have_it_on_all_interfaces_and_says_so() {
    alone(
        "example::with_a_token_it_serves_those_who_have_it_on_all_interfaces_and_says_so",
        || {
            let arguments = ["--port", "0", "--token", "right"];
            let mut server = ServerProcess::of(example(&arguments), SERVES);
            let address = server.address();
            assert!(address.ip().is_unspecified(), "{address}");
            let line = server.next_line();
            assert!(line.contains("not encrypted"), "{line}");
            if cfg!(target_os = "linux") {
                assert!(listens_elsewhere(address.port()));
            }
            let host = host(SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())));
            let error = refused(&host, 0);
            assert!(matches!(error, ConnectError::Unauthorized), "{error:?}");
            let host = host.with_credential("right");
            works(Device::remote_options(&host).init().unwrap());
        },
    );
}

#[test]
fn without_a_token_it_does_not_serve_over_iroh() {
    alone(
        "example::without_a_token_it_does_not_serve_over_iroh",
        || {
            let key = Path::new(env!("CARGO_TARGET_TMPDIR")).join("without-a-token.key");
            let key = key.to_str().unwrap();
            let output = example(&["--iroh", key]).output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{errors}");
            assert!(errors.contains("set BURNSCAPE_TOKEN"), "{errors}");
            assert!(!Path::new(key).exists());
        },
    );
}
