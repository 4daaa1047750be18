//! Skip connections simplify the loss landscape: the wells of deep networks with and without them, counted.
//!
//! ```text
//! cargo run --release -p burnscape --example skip_connections
//! cargo run --release -p burnscape --example skip_connections -- --depth 10 --json skip.json
//! ```
//!
//! Networks of width 16 with rectifiers learn two spirals: plain ones, and residual ones. Around each trained network the
//! loss is evaluated on planes of two random directions, filter-normalized as by Li et al. 2018 (arXiv:1712.09913), and
//! the pairs of the merge tree of its logarithm are counted. Li et al. show that the surface of a deep network is chaotic
//! without skip connections and smooth with them. Here both kinds are compared by their counts.
//!
//! How many wells a chaotic surface shows depends on the grid, which is why no count is printed without it. The grid does
//! not resolve most of them, which the resolution ratio q of each pair tells; the criterion is about those with q > 1. A run
//! with default settings, 50 s in the release profile on two cores, found in the mean over nine planes of each kind:
//!
//! | | 101 × 101 points: pairs | with q > 1 | 51 × 51 points: pairs | with q > 1 |
//! |---|---|---|---|---|
//! | plain | 45.11 | 8.78 | 25.00 | 2.56 |
//! | residual | 1.11 | 0.89 | 1.56 | 0.56 |
//!
//! Of plain networks the finer grid shows more than three times as many pairs with q > 1, so it is the default, and the
//! coarser one is printed beside it. That plain networks have more is a finding; how many they have is not.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use skip_connections::{report, surfaces, training};

/// The parts of this example, in `examples/skip_connections/`.
mod skip_connections {
    pub(crate) mod network;
    pub(crate) mod report;
    pub(crate) mod spirals;
    pub(crate) mod surfaces;
    pub(crate) mod training;
}

/// As many as a landscape takes.
const MOST_THREADS: usize = 1024;

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Count the wells around deep networks with and without skip connections.
#[derive(Parser)]
struct Args {
    /// Networks of each kind, trained from as many seeds.
    #[arg(long, default_value_t = 3)]
    seeds: usize,
    /// Planes through each network.
    #[arg(long, default_value_t = 3)]
    planes: usize,
    /// Points along each axis of a plane: an odd number, 5 at least.
    #[arg(long, default_value_t = 101)]
    points: usize,
    /// Layers of 16 units between the first and the last layer.
    #[arg(long, default_value_t = 30)]
    depth: usize,
    /// Steps of a training at most.
    #[arg(long, default_value_t = 10_000)]
    steps: usize,
    /// Threads that train networks and evaluate points.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Writes all numbers to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
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
    // What can be refused is refused before minutes are spent.
    args.check()?;
    let started = Instant::now();
    println!("{}", report::heading(args));
    let trained = training::all(args)?;
    let planes = surfaces::all(args, &trained)?;
    println!("{}", report::table(args, &trained, &planes));
    if let Some(path) = &args.json {
        report::write(path, args, &trained, &planes)?;
        println!("All numbers are in {}.", path.display());
    }
    println!("Took {:.0} s.\n", started.elapsed().as_secs_f64().ceil());
    println!("{}", report::Verdict::of(&planes).text(args));
    Ok(())
}

impl Args {
    fn check(&self) -> Result<(), Failure> {
        let counts = [
            ("--seeds", self.seeds),
            ("--planes", self.planes),
            ("--depth", self.depth),
            ("--steps", self.steps),
            ("--threads", self.threads),
        ];
        if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(format!("`{name}` is 0; use 1 or more").into());
        }
        if self.threads > MOST_THREADS {
            let threads = self.threads;
            return Err(format!("`--threads` is {threads}; use 1 to {MOST_THREADS}").into());
        }
        if self.points < 5 || self.points.is_multiple_of(2) {
            let points = self.points;
            return Err(format!(
                "`--points` is {points}; use an odd number from 5, so that the network is a point of the grid and of \
                 the one with every second point"
            )
            .into());
        }
        if let Some(path) = &self.json
            && let Some(directory) = path.parent()
            && !directory.as_os_str().is_empty()
            && !directory.is_dir()
        {
            let directory = directory.display();
            return Err(format!("there is no directory {directory}; create it first").into());
        }
        Ok(())
    }
}
