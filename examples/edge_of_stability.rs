//! Optimizers at their edges of stability, on handwritten digits.
//!
//! ```text
//! cargo run --release --example edge_of_stability -- --out edge.csv
//! ```
//!
//! A tanh network is trained with the squared loss on its full data set by six optimizers. Each of them drives the
//! sharpness up to its own edge, above which it would diverge, and stays there while the loss falls: `2/lr` for gradient
//! descent (Cohen et al. 2021, arXiv:2103.00065), higher with momentum, an edge of the preconditioned sharpness for Adam
//! and RMSProp (Cohen et al. 2022, arXiv:2207.14484), lower for SAM (Long and Bartlett 2024, arXiv:2309.12488).
//! The gradient flow, which gradient descent with small steps follows, passes the edge as if there were none.
//!
//! Rates are such that each optimizer starts below its edge and reaches it within 6,000 steps; at much lower rates it does
//! not.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use clap::{Parser, ValueEnum};

use edge_of_stability::digits::Digits;
use edge_of_stability::optimizers::Name;
use edge_of_stability::report;
use edge_of_stability::training::{Job, Run};

/// The parts of this example, in `examples/edge_of_stability/`.
mod edge_of_stability {
    pub(crate) mod digits;
    pub(crate) mod network;
    pub(crate) mod optimizers;
    pub(crate) mod report;
    pub(crate) mod training;
}

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Watch optimizers reach their edges of stability.
#[derive(Parser)]
struct Args {
    /// The optimizer; all by default.
    #[arg(long, value_enum)]
    optimizer: Option<Name>,
    /// Seeds of the initial weights.
    #[arg(long, value_delimiter = ',', default_values_t = [0_u64, 1, 2], conflicts_with = "pilot")]
    seeds: Vec<u64>,
    /// Takes seeds 10 to 12, from which bands are fixed.
    #[arg(long)]
    pilot: bool,
    /// Steps of each optimizer.
    #[arg(long, default_value_t = 6000)]
    steps: usize,
    /// Steps between measurements. At the edge, weights jump from side to side: an even number shows one side only.
    #[arg(long, default_value_t = 51)]
    every: usize,
    /// How many times smaller than those of gradient descent the steps of the gradient flow are.
    #[arg(long, default_value_t = 6)]
    flow: usize,
    /// Digits to train on.
    #[arg(long, default_value_t = 200)]
    digits: usize,
    /// Units of each of the two hidden layers.
    #[arg(long, default_value_t = 32)]
    width: usize,
    /// Writes all readings there, as CSV.
    #[arg(long)]
    out: Option<PathBuf>,
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
    if args.flow == 0 || args.digits == 0 {
        return Err("`--flow` and `--digits` must be at least 1".into());
    }
    let started = Instant::now();
    let seeds: &[u64] = if args.pilot {
        &[10, 11, 12]
    } else {
        &args.seeds
    };
    let names = match &args.optimizer {
        Some(name) => std::slice::from_ref(name),
        None => Name::value_variants(),
    };
    // The flow takes longest.
    let with_flow = names.contains(&Name::GradientDescent);
    let flow: Option<Option<Name>> = with_flow.then_some(None);
    let optimizers = flow.into_iter().chain(names.iter().copied().map(Some));
    let jobs: Vec<Job> = optimizers
        .flat_map(|optimizer| seeds.iter().map(move |&seed| Job { optimizer, seed }))
        .collect();
    let digits = Digits::read(args.digits)?;
    println!(
        "{} digits, tanh network 64-{}-{}-10, squared loss, full batch, {} steps, a measurement every {}",
        digits.count, args.width, args.width, args.steps, args.every
    );
    let runs = in_parallel(&jobs, |job| job.run(args, &digits))?;
    report::print(&runs)?;
    println!("{:.0} s", started.elapsed().as_secs_f64());
    if let Some(path) = &args.out {
        report::write(&runs, path)?;
        println!("readings written to {}", path.display());
    }
    Ok(())
}

/// Works on two threads, and returns the results in the order of the jobs.
fn in_parallel(
    jobs: &[Job],
    work: impl Fn(Job) -> Result<Run, Failure> + Sync,
) -> Result<Vec<Run>, Failure> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(&job) = jobs.get(index) else {
                return Ok::<_, Failure>(done);
            };
            done.push((index, work(job)?));
        }
    };
    let mut found = Vec::new();
    thread::scope(|scope| -> Result<(), Failure> {
        for handle in [(); 2].map(|()| scope.spawn(worker)) {
            let done = handle.join().map_err(|_| "a training panicked")?;
            found.extend(done?);
        }
        Ok(())
    })?;
    found.sort_by_key(|(index, _)| *index);
    Ok(found.into_iter().map(|(_, run)| run).collect())
}
