//! The page that a run writes: pictures of what it found, and how much to trust them.

use std::error::Error;

use burnscape::landscape::LossScale;
use burnscape::plot::Report;
use burnscape::report::ReportBuilder;

use super::data::ATTRIBUTION;
use super::date::today;
use super::findings::Findings;
use super::json::command;
use super::models::ModelName;
use super::page_headline::sentences;
use super::page_paths;
use super::page_tables::{with_barriers, with_eigenvalues, with_results};
use super::paths_run::Network;
use super::recorder::TEST_LOSS;
use super::settings::{BATCH_SIZE, LEARNING_RATE, MOMENTUM, Settings};
use super::summary::Row;
use super::surfaces::Surface;
use super::table::thousands;
use super::words::listed;

/// Results first, then surfaces, training and spectra, then what is between networks.
pub(crate) fn page(found: &Findings<'_>) -> Result<Report, Box<dyn Error>> {
    let mut head = Report::new(title(found));
    for fact in facts(found) {
        head = head.with_line(fact);
    }
    for sentence in sentences(found) {
        head = head.with_sentence(sentence);
    }
    let results = with_results(ReportBuilder::from(head), found).build();
    let mut builder = ReportBuilder::from(results);
    for surface in found.surfaces {
        builder = with_surface(builder, surface)?;
    }
    let first = found.arguments.models().first().copied();
    for row in &found.summary.rows {
        builder = with_row(builder, row, found.arguments.seed, Some(row.model) == first);
    }
    let mut report = with_eigenvalues(builder, &found.summary.rows).build();
    for panel in page_paths::panels(found.paths) {
        report = report.with_panel(panel);
    }
    let builder = with_barriers(ReportBuilder::from(report), found.paths);
    Ok(with_details(builder, found)?.build())
}

fn title(found: &Findings<'_>) -> String {
    let upper = |name: String| name.to_uppercase();
    let models = found.arguments.models().into_iter();
    let models: Vec<String> = models.map(|name| upper(name.to_string())).collect();
    let optimizers = found.arguments.optimizers().into_iter();
    let optimizers: Vec<String> = optimizers.map(|name| upper(name.to_string())).collect();
    let (models, optimizers) = (listed(&models), listed(&optimizers));
    format!("Handwritten digits: {models} trained with {optimizers}")
}

/// What was trained, on what, and how.
fn facts(found: &Findings<'_>) -> Vec<String> {
    let (arguments, split) = (found.arguments, found.split);
    let rows = &found.summary.rows;
    let sizes = arguments.models().into_iter().filter_map(|model| {
        let row = rows.iter().find(|row| row.model == model)?;
        let size = thousands(row.parameters as f64);
        let name = match model {
            ModelName::Cnn => "CNN",
            ModelName::Mlp => "MLP 64-128-64-10",
        };
        Some(format!("{name} with {size} parameters"))
    });
    let sizes: Vec<String> = sizes.collect();
    let mut facts = vec![
        listed(&sizes),
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
    if !found.paths.pairs.is_empty() {
        facts.push(between(found));
    }
    if !found.surfaces.is_empty() {
        let range = match found.surfaces.len() {
            1 => String::new(),
            count => format!(
                ". {} cover the same distances between weights; the axes have them in percent of each network's norm",
                if count == 2 { "Both" } else { "All" }
            ),
        };
        facts.push(format!(
            "Every surface lies in the plane of the two components of its own network's training run: a plane through \
             all networks would hold little of any run{range}"
        ));
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

/// Which networks the paths and alignments are between.
fn between(found: &Findings<'_>) -> String {
    let has = |network: Network| found.paths.pairs.iter().any(|pair| pair.network == network);
    let names = [
        (Network::Cnn, "CNNs"),
        (Network::DeepMlp, "wide MLPs (64-128-128-128-10)"),
    ];
    let names = names.into_iter().filter(|(network, _)| has(*network));
    let names: Vec<String> = names.map(|(_, name)| name.to_string()).collect();
    let epochs = match found.arguments.path_epochs.div_ceil(2) {
        1 => "1 epoch".to_string(),
        count => format!("{count} epochs"),
    };
    let names = listed(&names);
    format!(
        "Paths and alignments are between {names} that were trained for this, {epochs} each with SGD"
    )
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
/// of networks are not to be compared. Both are of the first seed.
fn with_row(
    mut builder: ReportBuilder,
    row: &Row,
    seed: u32,
    is_first_kind: bool,
) -> ReportBuilder {
    let name = format!("{}, seed {seed}", row.name());
    if let Some(density) = &row.density {
        builder = builder.with_spectrum(&name, density);
    }
    if let Some(report) = row.sharpness_report.as_ref().filter(|_| is_first_kind) {
        builder = builder.with_sharpness(&name, report);
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
