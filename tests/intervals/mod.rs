//! Intervals against dense spectra of three networks: how often they hold the true value.
//!
//! `cargo xtask sweep intervals` runs seeds 0 to 199; seeds 0 to 39 are ordinary tests.

mod networks;
mod rises;
mod spectra;
mod stored;
mod tally;

use networks::{Cnn, Mlp, Transformer};
use std::thread;
use tally::Tally;

/// Seeds that CI runs, and those of the sweep.
const SHARE: u64 = 40;
const ALL: u64 = 200;

fn sweep(seeds: u64) {
    let parts: [fn(&mut Tally); 6] = [
        spectra::of_network::<Mlp>,
        spectra::of_network::<Cnn>,
        spectra::of_network::<Transformer>,
        rises::of_network::<Mlp>,
        rises::of_network::<Cnn>,
        rises::of_network::<Transformer>,
    ];
    let run = |part: fn(&mut Tally)| {
        let mut tally = Tally::new(seeds);
        part(&mut tally);
        tally
    };
    let mut tally = Tally::new(seeds);
    thread::scope(|scope| {
        for part in parts.map(|part| scope.spawn(move || run(part))) {
            tally.absorb(part.join().unwrap());
        }
    });
    println!("{tally}");
    tally.check();
}

#[test]
fn intervals_hold_what_they_say_as_often_as_they_say() {
    sweep(SHARE);
}

#[test]
#[ignore = "cargo xtask sweep intervals"]
fn sweep_intervals() {
    sweep(ALL);
}
