//! SGD and SAM side by side: trains two small networks on handwritten digits, several times with
//! each optimizer, and prints how well they generalize, how sharp their minima are and what the
//! training cost; then finds paths of low loss between networks, aligns networks to each other, and
//! joins five of them to a graph.
//! `cargo run --release --example survey -- --help` lists the options.

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use survey::arguments::Arguments;
use survey::data::Split;
use survey::experiment::Experiment;
use survey::models::ModelName;
use survey::summary::Summary;
use survey::{groups, json, paths_run, report, spectrum};

/// The parts of this example, in `examples/survey/`.
mod survey {
    pub(crate) mod alignment;
    pub(crate) mod alignment_report;
    pub(crate) mod arguments;
    pub(crate) mod comparison;
    pub(crate) mod curvature;
    pub(crate) mod data;
    pub(crate) mod device_name;
    pub(crate) mod estimate;
    pub(crate) mod experiment;
    pub(crate) mod graph;
    pub(crate) mod graph_report;
    pub(crate) mod groups;
    pub(crate) mod json;
    pub(crate) mod measure;
    pub(crate) mod models;
    pub(crate) mod optimizer_name;
    pub(crate) mod paths;
    pub(crate) mod paths_report;
    pub(crate) mod paths_run;
    pub(crate) mod reading;
    pub(crate) mod report;
    pub(crate) mod settings;
    pub(crate) mod sharpness_table;
    pub(crate) mod sparkline;
    pub(crate) mod spectrum;
    pub(crate) mod spectrum_report;
    pub(crate) mod summary;
    pub(crate) mod table;
    pub(crate) mod train;
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
    let start = Instant::now();
    // What can be refused is refused before minutes are spent.
    if let Some(path) = &arguments.json {
        json::check_path(path)?;
    }
    if let Some(directory) = &arguments.out
        && !directory.is_dir()
    {
        return Err(format!(
            "there is no directory {}; create it first",
            directory.display()
        )
        .into());
    }
    let device = arguments.device.open()?;
    let split = Split::load(&device)?;
    let experiment = Experiment::new(arguments, &split)?;
    print!("{}", report::heading(arguments, &split));

    let (runs, mlps) = experiment.run(&device)?;
    let paths = paths_run::run(arguments, &split, &device, &mlps)?;
    let summary = Summary::of(&runs);
    let seconds = start.elapsed().as_secs_f64();
    print!("{}", report::results(arguments, &summary, &paths, seconds));
    if arguments.models().contains(&ModelName::Cnn) {
        println!("{}", groups::table(&device)?);
    }
    if let Some(directory) = &arguments.out {
        for run in &runs {
            if let Some(density) = &run.measured.spectrum.density {
                let name = format!("{}-{}-seed{}", run.model, run.optimizer, run.seed);
                spectrum::write(density, directory, &name)?;
            }
        }
        println!("Densities are in {}.", directory.display());
    }
    if let Some(path) = &arguments.json {
        json::write(path, arguments, &split, &runs, &summary, &paths, seconds)?;
        println!("Every run is in {}.", path.display());
    }
    Ok(())
}
