//! SGD and SAM side by side: trains two small networks on handwritten digits, several times with
//! each optimizer, and finds out how well they generalize, how sharp their minima are and what the
//! training cost; then finds paths of low loss between networks, aligns networks to each other, joins
//! five of them to a graph, and looks at the loss around two of them. What one wants to read first is
//! printed, and everything is on a page, `target/survey.html`.
//! `cargo run --release --features files,report --example survey -- --help` lists the options.

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use survey::arguments::Arguments;
use survey::data::Split;
use survey::experiment::Experiment;
use survey::findings::Findings;
use survey::models::ModelName;
use survey::summary::Summary;
use survey::{destinations, figures, groups, json, page, paths_run, report, spectrum, surfaces};

/// The parts of this example, in `examples/survey/`.
mod survey {
    pub(crate) mod alignment;
    pub(crate) mod alignment_report;
    pub(crate) mod arguments;
    pub(crate) mod barriers_report;
    pub(crate) mod comparison;
    pub(crate) mod curvature;
    pub(crate) mod data;
    pub(crate) mod date;
    pub(crate) mod destinations;
    pub(crate) mod device_name;
    pub(crate) mod estimate;
    pub(crate) mod experiment;
    pub(crate) mod figures;
    pub(crate) mod findings;
    pub(crate) mod graph;
    pub(crate) mod graph_report;
    pub(crate) mod groups;
    pub(crate) mod json;
    pub(crate) mod measure;
    pub(crate) mod models;
    pub(crate) mod optimizer_name;
    pub(crate) mod page;
    pub(crate) mod page_headline;
    pub(crate) mod page_paths;
    pub(crate) mod page_tables;
    pub(crate) mod paths;
    pub(crate) mod paths_report;
    pub(crate) mod paths_run;
    pub(crate) mod reading;
    pub(crate) mod recorder;
    pub(crate) mod report;
    pub(crate) mod settings;
    pub(crate) mod sharpness_table;
    pub(crate) mod sparkline;
    pub(crate) mod spectrum;
    pub(crate) mod spectrum_report;
    pub(crate) mod summary;
    pub(crate) mod surfaces;
    pub(crate) mod surfaces_report;
    pub(crate) mod table;
    pub(crate) mod train;
    pub(crate) mod words;
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
    destinations::check(arguments)?;
    let device = arguments.device.open()?;
    let split = Split::load(&device)?.first(arguments.images as usize);
    let experiment = Experiment::new(arguments, &split)?;
    print!("{}", report::heading(arguments, &split));

    let trainings = experiment.run(&device)?;
    let paths = paths_run::run(arguments, &split, &device, &trainings.mlps)?;
    // Without surfaces, the rest is printed and written nevertheless.
    let surfaces = surfaces::run(arguments, &split, &device, trainings.recordings);
    let findings = Findings {
        arguments,
        split: &split,
        runs: &trainings.runs,
        summary: &Summary::of(&trainings.runs),
        paths: &paths,
        surfaces: surfaces.as_deref().unwrap_or_default(),
        seconds: start.elapsed().as_secs_f64(),
    };
    print!("{}", report::results(&findings));
    if arguments.verbose && arguments.models().contains(&ModelName::Cnn) {
        println!("{}", groups::table(&device)?);
    }
    write_data(&findings)?;
    if let Err(error) = &surfaces {
        return Err(format!("no surfaces: {error}").into());
    }
    write_pictures(&findings)
}

/// Densities and runs, for those who asked for them.
fn write_data(found: &Findings<'_>) -> Result<(), Box<dyn Error>> {
    if let Some(directory) = &found.arguments.out {
        for run in found.runs {
            if let Some(density) = &run.measured.spectrum.density {
                let name = format!("{}-{}-seed{}", run.model, run.optimizer, run.seed);
                spectrum::write(density, directory, &name)?;
            }
        }
        println!("Densities are in {}.", directory.display());
    }
    if let Some(path) = &found.arguments.json {
        json::write(path, found)?;
        println!("Every run is in {}.", path.display());
    }
    Ok(())
}

/// The data of figures for those who asked for them, and the page.
fn write_pictures(found: &Findings<'_>) -> Result<(), Box<dyn Error>> {
    if let Some(directory) = &found.arguments.figures {
        figures::write(directory, found)?;
        println!("Figures are in {}.", directory.display());
    }
    if let Some(path) = found.arguments.report_path() {
        page::page(found)?.write_html(path)?;
        println!("The page: {}", path.display());
    }
    Ok(())
}
