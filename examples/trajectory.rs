//! One training of the survey's CNN, kept as a trajectory, and what can be said about the way it took.
//!
//! ```text
//! cargo run --release -p burnscape --features files --example trajectory
//! cargo run --release -p burnscape --features files --example trajectory -- --out run --train --epochs 40
//! ```
//!
//! Checkpoints are written by a [`TrajectoryLog`](burnscape::trajectory::TrajectoryLog) while the network is trained, with
//! loss and metrics beside them. A trajectory that is there already is read instead. A picture of it needs a plane, and
//! a plane of principal components explains most of the variance of any random walk: everything is printed beside what
//! chance would give, and beside what the plane hides.
//!
//! The network has batch normalization. Away from a checkpoint its running statistics do not fit, so that they are
//! re-estimated wherever a loss is evaluated.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use burnscape::trajectory::Trajectory;
use clap::Parser;
use indicatif::ProgressBar;

use one_training::{analysis, training};
use survey::data::Split;
use survey::models::{Classifier, Cnn};

/// The parts of this example, in `examples/one_training/`.
mod one_training {
    pub(crate) mod analysis;
    pub(crate) mod training;
}

/// The survey's data, networks and training.
#[allow(dead_code, reason = "the survey uses more of them")]
mod survey {
    pub(crate) mod data;
    pub(crate) mod models;
    pub(crate) mod settings;
    pub(crate) mod train;
}

/// The file that a directory with a trajectory has.
const INDEX: &str = "trajectory.jsonl";

/// Train a small CNN, keep its trajectory, and look at it.
#[derive(Parser)]
struct Args {
    /// The directory of the trajectory. Without one in it, the network is trained first.
    #[arg(long, value_name = "DIR", default_value = "target/trajectory")]
    out: PathBuf,
    /// Train the network, and replace the trajectory in the directory.
    #[arg(long)]
    train: bool,
    /// Seed of the training; 0 by default.
    #[arg(long)]
    seed: Option<u64>,
    /// Passes over the data in training; 20 by default.
    #[arg(long)]
    epochs: Option<usize>,
    /// Checkpoints after the first, at equal distances; 50 by default.
    #[arg(long)]
    checkpoints: Option<usize>,
    /// Points along each axis of the plane.
    #[arg(long, default_value_t = 25)]
    points: usize,
    /// Draws of random signs.
    #[arg(long, default_value_t = 999)]
    draws: usize,
    /// Threads that evaluate points of the plane.
    #[arg(long, default_value_t = 2)]
    threads: usize,
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

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let trains = args.trains()?;
    let device = Device::default();
    if args.train {
        clear(&args.out, &device)?;
    }
    let split = Split::load(&device)?;
    let progress = ProgressBar::new_spinner();
    progress.enable_steady_tick(Duration::from_millis(200));
    let directory = args.out.display();
    let origin = if trains {
        let took = training::record(args, &split, &progress)?;
        format!("The network was trained, and its trajectory is in {directory}. {took}")
    } else {
        format!("The trajectory was read from {directory}; `--train` trains the network again.")
    };
    progress.set_message("reading checkpoints");
    let trajectory = Trajectory::open(&args.out, &Cnn::new(&device))?;
    let text = analysis::text(args, &split, &trajectory, &progress)?;
    progress.finish_and_clear();
    println!("{origin}\n\n{text}");
    println!("Took {:.0} s.", started.elapsed().as_secs_f64().ceil());
    Ok(())
}

impl Args {
    /// Whether the network is trained first.
    fn trains(&self) -> Result<bool, Box<dyn Error>> {
        let counts = [self.epochs, self.checkpoints, Some(self.threads)];
        if counts.contains(&Some(0)) {
            return Err("`--epochs`, `--checkpoints` and `--threads` must be at least 1".into());
        }
        let trains = self.train || !self.out.join(INDEX).exists();
        let settings = [self.epochs, self.checkpoints];
        if !trains && (self.seed.is_some() || settings.iter().any(Option::is_some)) {
            return Err(format!(
                "`--seed`, `--epochs` and `--checkpoints` are for training, and {} has a trajectory; leave them out to \
                 read it, pass --train to replace it, or name another directory with --out",
                self.out.display()
            )
            .into());
        }
        Ok(trains)
    }
}

/// Deletes the trajectory in a directory: its index and the files that it names. Nothing else there is touched.
fn clear(directory: &Path, device: &Device) -> Result<(), Box<dyn Error>> {
    let index = directory.join(INDEX);
    if !index.exists() {
        return Ok(());
    }
    let known = Trajectory::open(directory, &Cnn::new(device)).map_err(|error| {
        format!(
            "cannot replace the trajectory in {}: {error}; or delete the directory, or name another one with --out",
            directory.display()
        )
    })?;
    let names = known.checkpoints().iter();
    let names = names.filter_map(|checkpoint| checkpoint.file.as_ref());
    let mut paths: Vec<PathBuf> = names.map(|name| directory.join(name)).collect();
    paths.push(index);
    drop(known);
    for path in paths {
        std::fs::remove_file(&path)
            .map_err(|error| format!("cannot delete {}: {error}", path.display()))?;
    }
    Ok(())
}
