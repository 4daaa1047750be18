//! A line that is cut, loses a message, or goes silent at any byte: the right numbers or an error, and never a wait
//! without end.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use burnscape::krylov::LanczosCheckpoint;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::alone::{alone, each_alone};
use super::limit::within;
use super::problem::device_of;
use super::proxy::{Fault, Proxy};
use super::runs::{LIMIT, finished, uninterrupted};
use super::servers::{Server, connect};

/// Places of a fault within a whole run.
const PLACES: usize = 100;

/// Where the fault of a case is, as a part of what a whole run sends.
fn place(index: usize) -> f64 {
    let mut rng = StdRng::seed_from_u64(index as u64);
    (index as f64 + rng.random_range(0.0..1.0)) / PLACES as f64
}

/// A list of the model's device and one behind a proxy.
struct Cases {
    main: Device,
    server: SocketAddr,
    /// The run of the model's device alone, which has products of vectors of its own.
    expected: LanczosCheckpoint,
    /// What is sent before the operator is made, and at the end of a run.
    range: (u64, u64),
}

impl Cases {
    fn new(main: Device, server: SocketAddr) -> Self {
        let expected = finished(std::slice::from_ref(&main)).checkpoint;
        // The first run of a process sends programs that later ones know.
        let [_, range] = [(); 2].map(|()| {
            let proxy = Proxy::new(server, Fault::None);
            let devices = [main.clone(), connect(proxy.address(), 0)];
            let opened = proxy.traffic().sent;
            let run = within(LIMIT, "no fault", move || finished(&devices));
            assert!(run.failure.is_none(), "{:?}", run.failure);
            assert_eq!(run.checkpoint, expected);
            (opened, proxy.traffic().sent)
        });
        Self {
            main,
            server,
            expected,
            range,
        }
    }

    /// Runs the case with this fault, and returns whether it was noticed. The answer must be right.
    fn run(&self, index: usize, fault: fn(u64) -> Fault) -> bool {
        let (opened, end) = self.range;
        // The ids in the first message have a few bytes more or less.
        let offset = 64 + ((end - opened) as f64 * place(index)) as u64;
        let fault = fault(opened + offset);
        let proxy = Proxy::new(self.server, fault);
        let devices = [self.main.clone(), connect(proxy.address(), 0)];
        let begin = Instant::now();
        let name = format!("place {index}, {fault:?}");
        let run = within(LIMIT, &name, move || finished(&devices));
        let seconds = begin.elapsed().as_secs_f64();
        let (at, told) = match &run.failure {
            None => ("never".to_string(), String::new()),
            Some(failure) => {
                let at = failure
                    .step
                    .map_or("made".to_string(), |step| step.to_string());
                (at, failure.error.to_string())
            }
        };
        let fault = format!("{fault:?}");
        println!("{index:>5} {fault:<18} {at:>6} {seconds:>7.2}  {told}");
        if let Some(failure) = &run.failure {
            assert_eq!(device_of(&failure.error), Some(1), "{name}: {told}");
        }
        assert_eq!(run.checkpoint, self.expected, "{name}");
        run.failure.is_some()
    }

    /// Runs the cases at these places. Most faults must be noticed: a few may come after the last byte.
    fn run_all(&self, places: impl IntoIterator<Item = usize>, fault: fn(u64) -> Fault) {
        println!(
            "{:>5} {:<18} {:>6} {:>7}  error",
            "place", "fault", "step", "seconds"
        );
        let noticed = places.into_iter().map(|index| self.run(index, fault));
        let noticed: Vec<bool> = noticed.collect();
        let count = noticed.iter().filter(|&&is_noticed| is_noticed).count();
        println!("{count} of {} noticed", noticed.len());
        assert!(2 * count > noticed.len());
    }
}

#[test]
fn a_run_whose_line_is_cut_goes_on_to_the_same_bits() {
    alone(
        "faults::a_run_whose_line_is_cut_goes_on_to_the_same_bits",
        || {
            let server = Server::new(1);
            let cases = Cases::new(Device::flex(), server.address());
            cases.run_all((5..PLACES).step_by(10), Fault::Cut);
        },
    );
}

#[test]
fn a_run_on_two_servers_goes_on_without_the_one_that_is_cut() {
    alone(
        "faults::a_run_on_two_servers_goes_on_without_the_one_that_is_cut",
        || {
            let (main, server) = (Server::new(1), Server::new(1));
            let cases = Cases::new(main.device(0), server.address());
            cases.run_all([5, 35, 65, 85], Fault::Cut);
        },
    );
}

#[test]
fn a_lost_message_makes_an_error_and_no_wrong_number() {
    alone(
        "faults::a_lost_message_makes_an_error_and_no_wrong_number",
        || {
            let server = Server::new(1);
            let cases = Cases::new(Device::flex(), server.address());
            cases.run_all([15, 55, 85], Fault::Loss);
        },
    );
}

#[test]
fn a_line_that_goes_silent_makes_an_error_within_the_limit() {
    alone(
        "faults::a_line_that_goes_silent_makes_an_error_within_the_limit",
        || {
            let server = Server::new(1);
            let cases = Cases::new(Device::flex(), server.address());
            cases.run_all([25, 75], Fault::Silence);
        },
    );
}

#[test]
fn a_slow_line_changes_no_bit() {
    alone("faults::a_slow_line_changes_no_bit", || {
        let server = Server::new(1);
        let proxy = Proxy::new(server.address(), Fault::Delay(Duration::from_millis(2)));
        let devices = [Device::flex(), connect(proxy.address(), 0)];
        let run = within(LIMIT, "a slow line", move || finished(&devices));
        assert!(run.failure.is_none(), "{:?}", run.failure);
        assert_eq!(&run.checkpoint, uninterrupted());
    });
}

/// Places of a sweep in one process: the waits grow with the devices that it has connected (see [`alone`](super::alone)).
const AT_ONCE: usize = 5;

#[test]
#[ignore = "minutes of waits for silent lines; every tenth cut is an ordinary test"]
fn sweep_device_faults() {
    let kinds = [("cut", 1), ("lost", 5), ("silent", 5)];
    let parts: Vec<String> = ["flex", "remote"]
        .into_iter()
        .flat_map(|main| kinds.map(|(kind, step)| (main, kind, step)))
        .flat_map(|(main, kind, step)| {
            (0..PLACES)
                .step_by(step * AT_ONCE)
                .map(move |first| format!("{main} {kind} {step} {first}"))
        })
        .collect();
    each_alone(
        "faults::sweep_device_faults",
        parts.iter().map(String::as_str),
        |part| {
            let [main, kind, step, first] = part.split(' ').collect::<Vec<_>>()[..] else {
                panic!("a part of the sweep: {part:?}");
            };
            let [step, first]: [usize; 2] = [step, first].map(|number| number.parse().unwrap());
            let (own, server) = (Server::new(1), Server::new(1));
            let main = match main {
                "flex" => Device::flex(),
                _ => own.device(0),
            };
            let fault = match kind {
                "cut" => Fault::Cut,
                "lost" => Fault::Loss,
                _ => Fault::Silence,
            };
            println!("main device {main:?}");
            let cases = Cases::new(main, server.address());
            cases.run_all((first..PLACES).step_by(step).take(AT_ONCE), fault);
        },
    );
}
