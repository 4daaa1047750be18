//! Two checkpoints become one model: aligned, averaged, repaired, and written to a file.
//!
//! ```text
//! cargo run --release -p burnscape --example merge
//! cargo run --release -p burnscape --example merge -- a.bpk b.bpk --out merged.bpk
//! ```
//!
//! The checkpoints are those of the survey's small CNN for handwritten digits. Without arguments, two networks are trained
//! first, if that was not done before; with `--train`, they are trained and written to the files that you name. Two
//! networks from different seeds are as good as each other, and their plain average is useless.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use burn::module::Module;
use burn::optim::SgdConfig;
use burn::optim::momentum::MomentumConfig;
use burn::tensor::{Device, Tensor};
use burnscape::align::{ActivationMatchingConfig, Alignment, WeightMatchingConfig};
use burnscape::loss::{Batch, NormalizationPolicy, Progress, Risk};
use burnscape::merge::{RepairConfig, Repaired, average};
use burnscape::space::ParamSpace;
use burnscape::symmetry::SymmetriesConfig;
use clap::{Parser, ValueEnum};
use indicatif::ProgressBar;

use survey::data::{Digits, Split};
use survey::models::{Classifier, Cnn};
use survey::settings::{BATCH_SIZE, DAMPENING, MOMENTUM};
use survey::train::{Course, loss, train};

/// The survey's data, networks and training.
#[allow(dead_code, reason = "the survey uses more of them")]
mod survey {
    pub(crate) mod data;
    pub(crate) mod models;
    pub(crate) mod settings;
    pub(crate) mod train;
}

/// Files of networks that are trained if they do not exist.
const DEFAULTS: [&str; 2] = ["target/merge/a.bpk", "target/merge/b.bpk"];
const EPOCHS: usize = 20;

/// Merge two networks for handwritten digits.
#[derive(Parser)]
struct Arguments {
    /// The first checkpoint.
    #[arg(default_value = DEFAULTS[0])]
    a: PathBuf,
    /// The second checkpoint, which is aligned to the first.
    #[arg(default_value = DEFAULTS[1])]
    b: PathBuf,
    /// Where the merged network is written.
    #[arg(long, default_value = "target/merge/merged.bpk")]
    out: PathBuf,
    /// What the second network is aligned by.
    #[arg(long, value_enum, default_value_t = By::Activations)]
    by: By,
    /// Starts of the alignment.
    #[arg(long, default_value_t = 3)]
    starts: usize,
    /// Train both networks and write them to their files, replacing what is there.
    #[arg(long)]
    train: bool,
    /// Passes over the data in training; 20 by default.
    #[arg(long)]
    epochs: Option<usize>,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum By {
    /// What the channels compute on the training images.
    Activations,
    /// Weights.
    Weights,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let [trains_a, trains_b] = to_train(arguments)?;
    let device = Device::default();
    let split = Split::load(&device)?;
    let batches = batches(&split.train, split.num_train)?;
    let progress = ProgressBar::new_spinner();
    let epochs = arguments.epochs.unwrap_or(EPOCHS);
    let network = |path: &Path, seed: u64, is_trained: bool| match is_trained {
        true => trained(path, seed, epochs, &split, &progress),
        false => loaded(path, &split, &progress),
    };
    let a = network(&arguments.a, 0, trains_a)?;
    let b = network(&arguments.b, 1, trains_b)?;
    let aligned = aligned(arguments, &a, &b, &batches, &progress)?;
    progress.set_message("averaging and repairing");
    progress.tick();
    let (average, repaired) = merged(&a, &aligned, &batches)?;
    let (plain_average, plain_repaired) = merged(&a, &b, &batches)?;
    progress.finish_and_clear();

    println!(
        "{:28}{:>12}{:>12}{:>16}",
        "", "train loss", "test loss", "test accuracy"
    );
    for (name, model) in [
        ("first network", &a),
        ("second network", &b),
        ("aligned, averaged", &average),
        ("aligned, averaged, repaired", &repaired.model),
        // The controls.
        ("averaged", &plain_average),
        ("averaged, repaired", &plain_repaired.model),
    ] {
        println!("{name:28}{}", measured(model, &split, &batches)?);
    }
    for layer in &repaired.report.layers {
        println!(
            "Channels scaled by {} varied {:.2} times as much as they should.",
            layer.scale.join(", "),
            layer.deviation_ratio
        );
    }
    written(repaired.model, &arguments.out)?;
    println!("The merged network is in {}.", arguments.out.display());
    Ok(())
}

/// The average of two networks, and what a repair makes of it.
fn merged(a: &Cnn, b: &Cnn, batches: &[Digits]) -> Result<(Cnn, Repaired<Cnn>), Box<dyn Error>> {
    let loss = loss::<Cnn>;
    let merged = average(&[a, b])?;
    // Means of both networks' statistics do not fit the merged weights.
    let merged = NormalizationPolicy::ReestimateAll.normalize(
        &Risk::new(&loss, batches),
        &merged,
        &[(a, 0.5), (b, 0.5)],
    )?;
    let repaired = RepairConfig::new().run(&logits, batches, a, b, &merged, 0.5)?;
    Ok((merged, repaired))
}

/// Whether each network is trained first.
fn to_train(arguments: &Arguments) -> Result<[bool; 2], Box<dyn Error>> {
    let mut found = [arguments.train; 2];
    let paths = [&arguments.a, &arguments.b];
    for ((trains, path), default) in found.iter_mut().zip(paths).zip(DEFAULTS) {
        if *trains || path.exists() {
            continue;
        }
        if path.as_path() != Path::new(default) {
            let path = path.display();
            return Err(format!(
                "there is no file {path}; name a checkpoint of the survey's CNN, or pass --train to train both networks \
                 and write them to their files"
            )
            .into());
        }
        *trains = true;
    }
    if arguments.epochs.is_some() && found == [false; 2] {
        return Err(
            "--epochs is for training, and both files exist; leave it out to merge these, or pass --train to train both \
             networks again"
                .into(),
        );
    }
    Ok(found)
}

/// The network in a file.
fn loaded(path: &Path, split: &Split, progress: &ProgressBar) -> Result<Cnn, Box<dyn Error>> {
    let device = split.train.images.device();
    let model = Cnn::new(&device).try_load_file(path);
    let model = model.map_err(|error| format!("{}: {error}", path.display()))?;
    progress.suspend(|| println!("A network was read from {}.", path.display()));
    Ok(model)
}

/// A network that is trained from this seed and written to a file.
fn trained(
    path: &Path,
    seed: u64,
    epochs: usize,
    split: &Split,
    progress: &ProgressBar,
) -> Result<Cnn, Box<dyn Error>> {
    let device = split.train.images.device();
    let device = device.autodiff();
    device.seed(seed);
    let model = Cnn::new(&device);
    // Burn draws weights at their first use: here, before other draws.
    ParamSpace::of(&model)?;
    let momentum = MomentumConfig::new()
        .with_momentum(MOMENTUM)
        .with_dampening(DAMPENING);
    let sgd = SgdConfig::new().with_momentum(Some(momentum)).init();
    let digits = split.train.clone().to_device(&device);
    let course = Course {
        digits: &digits,
        num_examples: split.num_train,
        epochs,
        seed,
    };
    let trained = train(model, sgd, &course, |loss| {
        progress.set_message(format!("training network {seed}: loss {loss:.4}"));
        progress.tick();
    })?;
    let model = trained.model.valid();
    written(model.clone(), path)?;
    progress.suspend(|| println!("Network {seed} was trained and is in {}.", path.display()));
    Ok(model)
}

fn written(model: Cnn, path: &Path) -> Result<(), Box<dyn Error>> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let saved = model.save_file(path);
    saved.map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}

fn batches(digits: &Digits, count: usize) -> Result<Vec<Digits>, Box<dyn Error>> {
    let examples: Vec<usize> = (0..count).collect();
    let batches = examples.chunks(BATCH_SIZE);
    Ok(batches
        .map(|examples| digits.select(examples))
        .collect::<Result<_, _>>()?)
}

fn logits(model: &Cnn, digits: &Digits) -> Tensor<2> {
    model.logits(digits.images.clone())
}

/// The second network with the channels of the first.
fn aligned(
    arguments: &Arguments,
    a: &Cnn,
    b: &Cnn,
    batches: &[Digits],
    progress: &ProgressBar,
) -> Result<Cnn, Box<dyn Error>> {
    // The batch matters by its shapes alone.
    let batch = batches.first().ok_or("no digits")?;
    let symmetries = SymmetriesConfig::new().run(&logits, a, batch.clone())?;
    let observe = |step: &Progress| {
        progress.set_message(format!("aligning: {step}"));
        progress.tick();
        ControlFlow::Continue(())
    };
    let Alignment { model, record, .. } = match arguments.by {
        By::Weights => WeightMatchingConfig::new()
            .with_starts(arguments.starts)
            .init(&symmetries, a, b)?
            .with_observer(observe)
            .run()?,
        By::Activations => ActivationMatchingConfig::new()
            .with_starts(arguments.starts)
            .init(&symmetries, &logits, batches, a, b)?
            .with_observer(observe)
            .run()?,
    };
    for (index, start) in record.starts.iter().enumerate() {
        let ends = [start.objectives.first(), start.objectives.last()];
        let [first, last] = ends.map(|value| value.copied().unwrap_or(f64::NAN));
        let best = if index == record.best {
            ", the best"
        } else {
            ""
        };
        let sweeps = start.num_sweeps;
        progress.suspend(|| {
            println!("Start {index}: objective {first:.3} to {last:.3} in {sweeps} sweeps{best}.");
        });
    }
    Ok(model)
}

/// Loss on training and test images, and accuracy on test images.
fn measured(model: &Cnn, split: &Split, batches: &[Digits]) -> Result<String, Box<dyn Error>> {
    let test = std::slice::from_ref(&split.test);
    let loss = loss::<Cnn>;
    Ok(format!(
        "{:>12.4}{:>12.4}{:>14.2} %",
        Risk::new(&loss, batches).loss(model)?.value,
        Risk::new(&loss, test).loss(model)?.value,
        100.0 * Risk::new(&accuracy, test).loss(model)?.value
    ))
}

/// The fraction of images whose digit has the highest score.
fn accuracy(model: &Cnn, digits: Digits) -> Tensor<1> {
    let guesses = model.logits(digits.images).argmax(1).flatten::<1>(0, 1);
    guesses.equal(digits.labels).float().mean()
}
