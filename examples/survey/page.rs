//! The page that a run writes: pictures of what it found, and how much to trust them.

use std::error::Error;

use burnscape::landscape::LossScale;
use burnscape::plot::Report;
use burnscape::report::ReportBuilder;

use super::data::ATTRIBUTION;
use super::date::today;
use super::findings::Findings;
use super::json::command;
use super::page_tables::with_tables;
use super::paths_run::{Network, Paths};
use super::recorder::TEST_LOSS;
use super::settings::{BATCH_SIZE, LEARNING_RATE, MOMENTUM, Settings};
use super::summary::Row;
use super::surfaces::Surface;
use super::table::thousands;

pub(crate) fn page(found: &Findings<'_>) -> Result<Report, Box<dyn Error>> {
    let mut builder = ReportBuilder::new(title(found));
    for fact in facts(found) {
        builder = builder.with_fact(fact);
    }
    for surface in found.surfaces {
        builder = with_surface(builder, surface)?;
    }
    let first = found.arguments.models().first().copied();
    for row in &found.summary.rows {
        builder = with_row(builder, row, Some(row.model) == first);
    }
    builder = with_paths(builder, found.paths);
    builder = with_tables(builder, found);
    Ok(with_details(builder, found)?.build())
}

fn title(found: &Findings<'_>) -> String {
    let upper = |name: String| name.to_uppercase();
    let models = found.arguments.models().into_iter();
    let optimizers = found.arguments.optimizers().into_iter();
    format!(
        "Handwritten digits: {} trained with {}",
        listed(models.map(|name| upper(name.to_string()))),
        listed(optimizers.map(|name| upper(name.to_string()))),
    )
}

/// What was trained, on what, and how.
fn facts(found: &Findings<'_>) -> Vec<String> {
    let (arguments, split) = (found.arguments, found.split);
    let rows = &found.summary.rows;
    let sizes = arguments.models().into_iter().filter_map(|model| {
        let row = rows.iter().find(|row| row.model == model)?;
        let (name, size) = (model.to_string(), thousands(row.parameters as f64));
        Some(format!("{} with {size} parameters", name.to_uppercase()))
    });
    let mut facts = vec![
        listed(sizes),
        format!(
            "{} images of 8 × 8 pixels to train on, {} to test",
            thousands(split.num_train as f64),
            split.num_test
        ),
        format!(
            "{} epochs in batches of {BATCH_SIZE}; SGD with momentum {MOMENTUM} and a learning rate that falls from \
             {LEARNING_RATE} to 0",
            arguments.epochs
        ),
        format!(
            "Trained from {}; surfaces, training curves, spectra and bars are of seed {}",
            arguments.seeds_in_words(),
            arguments.seed
        ),
    ];
    if !found.surfaces.is_empty() {
        facts.push(
            "Every surface lies in the plane of the two components of its own network's training run: a plane through \
             all networks would hold little of any run. All windows are equally large"
                .to_string(),
        );
    }
    facts.extend([
        format!(
            "Device {}, {}, {:.0} s",
            arguments.device,
            today(),
            found.seconds.ceil()
        ),
        format!("Data: {ATTRIBUTION}"),
    ]);
    facts
}

/// The surface around a network, and its training.
fn with_surface(
    builder: ReportBuilder,
    surface: &Surface,
) -> Result<ReportBuilder, Box<dyn Error>> {
    let name = surface.name();
    let checkpoints = &surface.checkpoints;
    let steps: Vec<f64> = checkpoints.iter().map(|it| it.step as f64).collect();
    let train = checkpoints.iter().map(|it| it.loss.unwrap_or(f64::NAN));
    let test = checkpoints.iter().map(|it| {
        let metric = it.metrics.iter().find(|(metric, _)| metric == TEST_LOSS);
        metric.map_or(f64::NAN, |(_, loss)| *loss)
    });
    let [train, test] = [train.collect::<Vec<f64>>(), test.collect()];
    let builder = builder
        .with_landscape(&name, &surface.landscape, LossScale::Log10)?
        .with_projection(&name, &surface.projection)
        .with_components(&name, &surface.components, Some(&surface.signs))
        .with_losses(&format!("{name}, training images"), &steps, &train)
        .with_losses(&format!("{name}, test images"), &steps, &test)
        .with_readings(&name, &surface.sharpness, &["sharpness", "edge"])?
        .with_csv(&format!("surface of {name}"), &surface.landscape)?
        .with_csv(&format!("training run of {name}"), &surface.projection)?;
    Ok(builder)
}

/// The spectrum of a network, and the measures of its sharpness if it is one of the first kind: numbers of different kinds
/// of networks are not to be compared.
fn with_row(mut builder: ReportBuilder, row: &Row, is_first_kind: bool) -> ReportBuilder {
    let name = row.name();
    if let Some(density) = &row.density {
        builder = builder.with_spectrum(&name, density);
    }
    if let Some(report) = row.sharpness_report.as_ref().filter(|_| is_first_kind) {
        builder = builder.with_sharpness(&name, report);
    }
    builder
}

/// The paths between two CNNs, and the graph of MLPs.
fn with_paths(mut builder: ReportBuilder, paths: &Paths) -> ReportBuilder {
    let mut pairs = paths.pairs.iter();
    if let Some(pair) = pairs.find(|pair| pair.network == Network::Cnn) {
        let connection = &pair.connection;
        builder = builder
            .with_path("straight line", &connection.line)
            .with_path("fitted Bézier curve", &connection.bezier)
            .with_path("fitted chain with one bend", &connection.chain)
            .with_path("line in a random direction", &connection.random);
    }
    if let Some(graph) = &paths.graph {
        let names: Vec<&str> = graph.networks.iter().map(String::as_str).collect();
        builder = builder.with_models(&names, &graph.tree);
    }
    builder
}

/// What the pictures are made from.
fn with_details(
    builder: ReportBuilder,
    found: &Findings<'_>,
) -> Result<ReportBuilder, Box<dyn Error>> {
    let arguments = found.arguments;
    let mut builder = builder
        .with_details("arguments", &command())
        .with_details("settings", &Settings::new(arguments.epochs, arguments.rho))
        .with_details("means over seeds", &found.summary.rows)
        .with_details("comparisons", &found.summary.comparisons);
    for pair in &found.paths.pairs {
        let name = pair.network.title();
        let [first, second] = pair.connection.seeds;
        for (kind, profile) in [
            ("line", &pair.connection.line),
            ("Bézier curve", &pair.connection.bezier),
        ] {
            let title = format!("{kind} from {name} {first} to {second}");
            builder = builder.with_csv(&title, profile)?;
        }
    }
    Ok(builder)
}

/// "a, b and c".
fn listed(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    match &names[..] {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
