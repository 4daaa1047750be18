//! What is printed.

use super::arguments::Arguments;
use super::barriers_report;
use super::data::{ATTRIBUTION, Split};
use super::findings::Findings;
use super::graph_report;
use super::models::ModelName;
use super::optimizer_name::OptimizerName;
use super::paths_report;
use super::reading::reading;
use super::settings::{
    BALL, BALL_STARTS, BALL_STEPS, BATCH_SIZE, DAMPENING, LEARNING_RATE, MOMENTUM, NOISE,
    NOISE_SAMPLES,
};
use super::sharpness_table;
use super::sparkline::sparkline;
use super::spectrum_report;
use super::summary::{Row, Summary};
use super::surfaces_report;
use super::table::{Column, table, thousands};

/// What is about to be done.
pub(crate) fn heading(arguments: &Arguments, split: &Split) -> String {
    let steps = split.num_train.div_ceil(BATCH_SIZE);
    let epochs = match arguments.epochs {
        1 => "1 epoch".to_string(),
        count => format!("{count} epochs"),
    };
    let mut text = format!(
        "Handwritten digits: {} images of 8×8 to train on, {} to test, split in file order.\n\
         {} of {steps} batches of {BATCH_SIZE}, {}, device {}.\n\
         SGD: momentum {MOMENTUM}, dampening {DAMPENING} (Burn's default is 0.1), learning rate \
         {LEARNING_RATE} falling to 0.\n",
        thousands(split.num_train as f64),
        split.num_test,
        epochs,
        arguments.seeds_in_words(),
        arguments.device,
    );
    let mut optimizers = arguments.optimizers().into_iter();
    if optimizers.any(|optimizer| optimizer.sharpness_aware(None, 0).is_some()) {
        text += &match arguments.rho {
            Some(rho) => format!("Sharpness-aware: around the same SGD, rho {rho} as asked for.\n"),
            None => "Sharpness-aware: around the same SGD, settings as published (SAM: rho 0.05), \
                     not tuned here.\n"
                .to_string(),
        };
    }
    text + "\n"
}

/// What one wants to read first; everything if that was asked for.
pub(crate) fn results(found: &Findings<'_>) -> String {
    let (arguments, summary, paths) = (found.arguments, found.summary, found.paths);
    let rows = &summary.rows;
    let mut sections = vec![fit(rows, arguments.seeds), sharpness(rows)];
    if arguments.verbose {
        sections.extend([
            curvature(rows),
            spectrum_report::section(rows),
            sharpness_table::section(rows),
            curves(rows),
        ]);
    }
    sections.extend([in_words(arguments.seeds, summary), warnings(rows)]);
    if arguments.verbose {
        sections.extend([
            paths_report::section(arguments, &paths.pairs),
            graph_report::section(paths.graph.as_ref()),
        ]);
    } else {
        sections.push(barriers_report::section(arguments, paths));
    }
    sections.extend([
        surfaces_report::section(found.surfaces),
        costs_in_time(found),
    ]);
    sections.concat()
}

/// What the run took, and who made the data.
fn costs_in_time(found: &Findings<'_>) -> String {
    let alignments = found.paths.pairs.iter().map(|pair| pair.alignment_seconds);
    let mut parts = vec![format!(
        "{:.1} s to align, merge and repair",
        alignments.sum::<f64>()
    )];
    if !found.surfaces.is_empty() {
        let [kept, drawn] = [0, 1].map(|part: usize| {
            let seconds = found.surfaces.iter().map(|surface| surface.seconds[part]);
            seconds.sum::<f64>()
        });
        parts.push(format!("{kept:.1} s to keep training runs"));
        parts.push(format!("{drawn:.1} s for surfaces"));
    }
    let more = match found.arguments.verbose {
        true => "",
        false => " --verbose prints more.",
    };
    format!(
        "Took {:.0} s, of it {}.{more} Data: {ATTRIBUTION}.\n",
        found.seconds.ceil(),
        parts.join(", "),
    )
}

/// How well the networks fit, one row for each network with each optimizer.
pub(crate) fn fit_columns(rows: &[Row]) -> Vec<Column> {
    vec![
        Column::estimates("train loss", rows, 1.0, 4, |row| row.train_loss),
        Column::estimates("test loss", rows, 1.0, 4, |row| row.test_loss),
        Column::estimates("train accuracy %", rows, 100.0, 2, |row| row.train_accuracy),
        Column::estimates("test accuracy %", rows, 100.0, 2, |row| row.test_accuracy),
    ]
}

fn fit(rows: &[Row], seeds: u32) -> String {
    let errors = match seeds {
        1 => "one seed, which says nothing about the spread".to_string(),
        count => format!("mean ± standard error over {count} seeds"),
    };
    format!(
        "Loss and accuracy: {errors}\n{}\n",
        table(rows, fit_columns(rows))
    )
}

/// How sharp the minima are, and what the training cost.
pub(crate) fn sharpness_columns(rows: &[Row]) -> Vec<Column> {
    let milliseconds = |row: &Row| format!("{:.2}", row.seconds_per_step.mean * 1e3);
    vec![
        Column::estimates("average rise", rows, 1.0, 4, |row| row.average_rise),
        Column::estimates("worst-case rise", rows, 1.0, 4, |row| row.worst_case_rise),
        Column::estimates("λ_max", rows, 1.0, 2, |row| row.lambda_max),
        Column::new("gradients", rows, |row| thousands(row.gradients.mean)),
        Column::new("ms/step", rows, milliseconds),
    ]
}

fn sharpness(rows: &[Row]) -> String {
    format!(
        "Sharpness and cost\n{}\n  \
         average rise      of the training loss under Gaussian noise, {} % of each filter's norm \
         ({NOISE_SAMPLES} samples)\n  \
         worst-case rise   the largest found in a ball of radius {BALL} ({BALL_STARTS} ascents of \
         {BALL_STEPS} steps)\n  \
         λ_max             the largest eigenvalue of the Hessian of the training loss\n  \
         gradients         forward and backward passes of one training run\n\n",
        table(rows, sharpness_columns(rows)),
        NOISE * 100.0,
    )
}

fn curvature(rows: &[Row]) -> String {
    let times = |row: &Row| format!("{:.2}", row.product_over_gradient.mean);
    let columns = vec![
        Column::estimates("along ascent", rows, 1.0, 3, |row| {
            row.curvature_along_ascent
        }),
        Column::estimates("along random", rows, 1.0, 5, |row| {
            row.curvature_along_random
        }),
        Column::new("product / gradient", rows, times),
    ];
    format!(
        "Curvature of the training loss, by exact Hessian-vector products\n{}\n  \
         along ascent         uᵀHu with u the gradient's direction, where SAM looks\n  \
         along random         uᵀHu with a random u: the mean eigenvalue, on average\n  \
         product / gradient   time of Hu over that of a gradient, on the training images\n\n",
        table(rows, columns),
    )
}

fn curves(rows: &[Row]) -> String {
    let losses = rows.iter().flat_map(|row| &row.loss_history).copied();
    let losses: Vec<f64> = losses.filter(|x| x.is_finite() && *x > 0.0).collect();
    let low = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let high = losses.iter().copied().fold(0.0, f64::max);
    if low >= high {
        return String::new();
    }
    let curve = Column::bare(rows, |row| sparkline(&row.loss_history, low, high));
    format!(
        "Training loss by epoch: logarithmic, from {high:.2} down to {low:.4}\n{}\n",
        table(rows, vec![curve])
    )
}

fn in_words(seeds: u32, summary: &Summary) -> String {
    let Some(first) = summary.comparisons.first() else {
        return String::new();
    };
    let mut text = match seeds {
        1 => "In words: from one seed, so any of this may be chance\n".to_string(),
        count => {
            format!("In words: differences seed by seed, ± standard error over {count} seeds\n")
        }
    };
    for comparison in &summary.comparisons {
        let is_baseline =
            |row: &&Row| (row.model, row.optimizer) == (comparison.model, comparison.baseline);
        if let Some(row) = summary.rows.iter().find(is_baseline) {
            text += &reading(comparison, row);
        }
    }
    if seeds > 1 {
        text += "\n  Clear means p < 0.05 in a paired t-test; by chance alone, one comparison in twenty would be.\n  \
                 The errors cover initial weights and batch order, not the choice of test images.\n";
    }
    if let Some(costs) = costs(summary, first.model) {
        text += &costs;
    }
    text + "\n"
}

/// Gradients relative to the baseline. They are the same for all networks; the first one's are read.
fn costs(summary: &Summary, model: ModelName) -> Option<String> {
    let mut rows = summary.rows.iter().filter(|row| row.model == model);
    let baseline = rows.next()?;
    let times: Vec<String> = rows
        .filter(|row| row.gradients.mean != baseline.gradients.mean)
        .map(|row| {
            let ratio = row.gradients.mean / baseline.gradients.mean;
            format!("{} {ratio:.1}", row.optimizer)
        })
        .collect();
    if times.is_empty() {
        return None;
    }
    let hint = match summary
        .rows
        .iter()
        .any(|row| row.optimizer == OptimizerName::SgdTwice)
    {
        true => "",
        false => "\n  At equal cost: --optimizer sgd,sgd-twice,sam",
    };
    Some(format!(
        "  Gradients taken, {} = 1: {}.{hint}\n",
        baseline.optimizer,
        times.join(", "),
    ))
}

fn warnings(rows: &[Row]) -> String {
    let skipped = rows.iter().filter(|row| row.skipped_steps > 0);
    let line = |row: &Row| {
        format!(
            "Warning: {} with {} left out {} steps because a number was not finite.\n",
            row.model, row.optimizer, row.skipped_steps
        )
    };
    skipped.map(line).collect()
}
