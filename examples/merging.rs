//! Merging on handwritten digits: every method beside the plain average and the best single model.
//!
//! ```text
//! cargo run --release -p burnscape --example merging
//! cargo run --release -p burnscape --example merging -- --only soups
//! ```
//!
//! - `ends`: two networks from different seeds, averaged as they are, aligned, and repaired.
//! - `soups`: five networks that were fine-tuned from one start, and five from different starts: uniform and greedy
//!   soups, and the ensemble of the same networks with its error correlation.
//! - `tasks`: three networks that know some digits each, merged by every method.
//! - `federated`: five clients with different digits, whose networks are averaged after 1, 10 and 100 steps each.
//!
//! Numbers are means ± standard errors over ten repetitions with other seeds. A difference is clear if a 95 % interval
//! of the differences within repetitions does not contain zero. What is chosen (the best single network, the members of
//! a greedy soup, a scale) is chosen on held-out images, never on test images.

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, ValueEnum};

use merging_methods::data::Data;
use merging_methods::{ends, federated, soups, tasks};

/// The parts of this example, in `examples/merging_methods/`.
mod merging_methods {
    pub(crate) mod data;
    pub(crate) mod ends;
    pub(crate) mod federated;
    pub(crate) mod network;
    pub(crate) mod predictions;
    pub(crate) mod scores;
    pub(crate) mod soups;
    pub(crate) mod task_methods;
    pub(crate) mod tasks;
    pub(crate) mod training;
    pub(crate) mod verdicts;
}

/// The survey's data.
#[allow(dead_code, reason = "the survey uses more of it")]
mod survey {
    pub(crate) mod data;
}

/// The tables of the example `dynamics`.
#[allow(dead_code, reason = "`dynamics` uses more of them")]
mod training_dynamics {
    pub(crate) mod table;
}

pub(crate) type Failure = Box<dyn Error>;

/// Merge networks for handwritten digits by every method.
#[derive(Parser)]
pub(crate) struct Args {
    /// Only this part.
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Short training runs of small networks, once: for a quick look, whose numbers mean nothing.
    #[arg(long)]
    quick: bool,
    /// Seed of the first repetition.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Ends,
    Soups,
    Tasks,
    Federated,
}

impl Part {
    fn run(self, args: &Args, data: &Data) -> Result<(), Failure> {
        match self {
            Self::Ends => ends::run(args, data),
            Self::Soups => soups::run(args, data),
            Self::Tasks => tasks::run(args, data),
            Self::Federated => federated::run(args, data),
        }
    }
}

impl Args {
    /// Seeds of the repetitions, far enough apart for seeds between them: ten, or one for a quick look.
    pub(crate) fn seeds(&self) -> Vec<u64> {
        let count = if self.quick { 1 } else { 10 };
        (0..count)
            .map(|index| self.seed.wrapping_add(1000 * index))
            .collect()
    }

    /// A number of steps, or a tenth of it for a quick look.
    pub(crate) fn steps(&self, steps: usize) -> usize {
        if self.quick { steps / 10 } else { steps }
    }

    /// A width, or a smaller one for a quick look.
    pub(crate) fn width(&self, width: usize) -> usize {
        if self.quick { 16 } else { width }
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
    let data = Data::load()?;
    data.describe();
    let is_chosen = |part: &&Part| args.only.is_none_or(|only| only == **part);
    for part in Part::value_variants().iter().filter(is_chosen) {
        let began = Instant::now();
        part.run(args, &data)?;
        let (name, took) = (format!("{part:?}").to_lowercase(), began.elapsed());
        eprintln!("  ({name} took {:.1} s)\n", took.as_secs_f64());
    }
    println!("Took {:.0} s.", started.elapsed().as_secs_f64().ceil());
    Ok(())
}
