//! Learning coefficients: of a network for digits, of a network whose coefficient is known, and along a training whose
//! stages are known.
//!
//! ```text
//! cargo run --release -p burnscape --example learning_coefficient
//! cargo run --release -p burnscape --example learning_coefficient -- --only known
//! ```
//!
//! The local learning coefficient says in how many ways the weights can change before the loss notices (Watanabe 2009; Lau et
//! al. 2023, arXiv:2308.12108): half the number of parameters if the loss is a bowl in every direction, less where directions
//! are flat. It is estimated from samples of the posterior around the weights, and the number alone does not say whether
//! it is one: the weights may be no minimum, the localizer may decide, chains may be short, steps too long. So every estimate
//! comes with what was checked, and some are refused.
//!
//! - `digits`: the survey's MLP as its training ends, then trained on by full batch for a minute.
//! - `known`: a linear network at its zero map, beside its exact coefficient.
//! - `modes`: a linear network that learns three modes one after the other. Both the times at which it does and the
//!   coefficients between them are known.

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, ValueEnum};

use coefficients::{digits, known, modes};

/// The parts of this example, in `examples/coefficients/`.
mod coefficients {
    pub(crate) mod digits;
    pub(crate) mod known;
    pub(crate) mod linear_network;
    pub(crate) mod modes;
    pub(crate) mod reduced_rank;
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

/// Chains are distributed on so many threads.
pub(crate) const THREADS: usize = 2;

/// Fewer draws would say nothing, also in a quick look.
const SHORTEST: usize = 40;

/// Estimate learning coefficients, and see which ones are none.
#[derive(Parser)]
pub(crate) struct Args {
    /// Only this part.
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Epochs of the survey's training.
    #[arg(long, default_value_t = 30)]
    epochs: usize,
    /// Seconds of training by full batch after it.
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// Strength of the localizer, for the network for digits.
    #[arg(long, default_value_t = 100.0)]
    localizer: f64,
    /// Divides the lengths of all chains, for a quick look.
    #[arg(long, default_value_t = 1)]
    shorter: usize,
    /// Seed of the initial weights and of the chains.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Digits,
    Known,
    Modes,
}

impl Args {
    /// A number of draws, or of steps before them.
    pub(crate) fn length(&self, draws: usize) -> usize {
        (draws / self.shorter.max(1)).max(SHORTEST)
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
    if args.epochs == 0 || !args.seconds.is_finite() || args.seconds < 0.0 {
        return Err("`--epochs` must be at least 1 and `--seconds` at least 0".into());
    }
    let started = Instant::now();
    let is_chosen = |part: Part| args.only.is_none_or(|only| only == part);
    if is_chosen(Part::Digits) {
        digits::run(args)?;
    }
    if is_chosen(Part::Known) {
        known::run(args)?;
    }
    if is_chosen(Part::Modes) {
        modes::run(args)?;
    }
    println!("Took {:.0} s.", started.elapsed().as_secs_f64().ceil());
    Ok(())
}

/// The lines of a text, below a heading.
pub(crate) fn indented(text: &str) -> String {
    let lines = text.lines().map(|line| format!("    {line}\n"));
    lines.collect()
}
