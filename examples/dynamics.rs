//! What training does, part by part: short tables that say how to read them.
//!
//! ```text
//! cargo run --release -p burnscape --example dynamics
//! cargo run --release -p burnscape --example dynamics -- --only flows
//! ```
//!
//! - `kernel`: how far the tangent kernel moves, for widths from 32 to 1,024 and two parametrizations.
//! - `flows`: gradient descent beside the gradient flow and the central flow, on digits.
//! - `bias`: which of all solutions an optimizer finds, and what linear layers conserve.
//! - `dimension`: how many random directions are enough to learn the digits.
//! - `bits`: to how few bits the weights can be rounded.
//! - `coupling`: which layers the Hessian couples.
//! - `volume`: how large the basin around a minimum is, and when an estimate of it is none.
//! - `tickets`: lottery tickets, and the controls without which they say nothing.
//! - `points`: the critical points of a linear network, beside the exact list.
//! - `villani`: whether the noise of training is confined, which rays can refute and not prove.

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, ValueEnum};

use training_dynamics::{
    bias, bits, coupling, dimension, flows, kernel, points, tickets, villani, volume,
};

/// The parts of this example, in `examples/training_dynamics/`.
mod training_dynamics {
    pub(crate) mod bias;
    pub(crate) mod bits;
    pub(crate) mod coupling;
    pub(crate) mod digits;
    pub(crate) mod dimension;
    pub(crate) mod flows;
    pub(crate) mod kernel;
    pub(crate) mod linear_net;
    pub(crate) mod network;
    pub(crate) mod points;
    pub(crate) mod table;
    pub(crate) mod tickets;
    pub(crate) mod trained;
    pub(crate) mod villani;
    pub(crate) mod volume;
}

/// The survey's data, networks and training.
#[allow(dead_code, reason = "the survey uses more of them")]
mod survey {
    pub(crate) mod data;
    pub(crate) mod models;
    pub(crate) mod settings;
    pub(crate) mod train;
}

pub(crate) type Failure = Box<dyn Error>;

/// Look at what training does.
#[derive(Parser)]
pub(crate) struct Args {
    /// Only this part.
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Divides the lengths of all training runs and searches, for a quick look.
    #[arg(long, default_value_t = 1)]
    shorter: usize,
    /// Seed of weights and searches.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Kernel,
    Flows,
    Bias,
    Dimension,
    Bits,
    Coupling,
    Volume,
    Tickets,
    Points,
    Villani,
}

impl Part {
    fn run(self, args: &Args) -> Result<(), Failure> {
        match self {
            Self::Kernel => kernel::run(args),
            Self::Flows => flows::run(args),
            Self::Bias => bias::run(args),
            Self::Dimension => dimension::run(args),
            Self::Bits => bits::run(args),
            Self::Coupling => coupling::run(args),
            Self::Volume => volume::run(args),
            Self::Tickets => tickets::run(args),
            Self::Points => points::run(args),
            Self::Villani => villani::run(args),
        }
    }
}

impl Args {
    /// A number of steps or starts, and what it is at least.
    pub(crate) fn length(&self, count: usize, least: usize) -> usize {
        (count / self.shorter.max(1)).max(least)
    }

    /// Three seeds; one for a quick look.
    pub(crate) fn seeds(&self) -> Vec<u64> {
        let count = if self.is_quick() { 1 } else { 3 };
        (0..count)
            .map(|index| self.seed.wrapping_add(index))
            .collect()
    }

    pub(crate) fn is_quick(&self) -> bool {
        self.shorter > 1
    }
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let started = Instant::now();
    let is_chosen = |part: &&Part| args.only.is_none_or(|only| only == **part);
    for part in Part::value_variants().iter().filter(is_chosen) {
        let began = Instant::now();
        part.run(args)?;
        eprintln!("{part:?}: {:.1} s", began.elapsed().as_secs_f64());
    }
    println!("Took {:.0} s.", started.elapsed().as_secs_f64().ceil());
    Ok(())
}
