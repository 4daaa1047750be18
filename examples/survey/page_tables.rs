//! The tables of the page.

use burnscape::report::ReportBuilder;

use super::alignment_report;
use super::barriers_report;
use super::findings::Findings;
use super::graph_report;
use super::paths_run::{Connected, Network, Paths};
use super::reading::statements;
use super::report::{fit_columns, sharpness_columns};
use super::settings::{BALL, GRADIENT_ZERO, NOISE};
use super::spectrum_report;
use super::summary::{Row, Summary};
use super::table::{Column, cells, with_minus_sign};
use super::words::{capitalized, spelled};

/// What a table says, and what it does not.
struct Words<'a> {
    title: &'a str,
    caption: &'a str,
    cannot_tell: &'a str,
    header: &'a [&'a str],
}

/// How well the networks fit, how sharp they are, what they took, and which differences are clear.
pub(crate) fn with_results(builder: ReportBuilder, found: &Findings<'_>) -> ReportBuilder {
    let rows = &found.summary.rows;
    let builder = with_fit(builder, rows);
    let builder = with_sharpness(builder, rows);
    with_comparisons(builder, found.summary, found.arguments.seeds as usize)
}

fn with_fit(builder: ReportBuilder, rows: &[Row]) -> ReportBuilder {
    let words = Words {
        title: "How well the networks fit",
        caption: "Loss and accuracy on the images that the networks learned from, and on others: means over the seeds, \
            ± their standard errors.",
        cannot_tell: "How other images would turn out: the errors are those of initial weights and of the order of \
            batches, and all seeds have the same test images.",
        header: &[
            "network",
            "training loss",
            "test loss",
            "training accuracy (%)",
            "test accuracy (%)",
        ],
    };
    with_columns(builder, &words, &with_names(rows, fit_columns(rows)))
}

fn with_sharpness(builder: ReportBuilder, rows: &[Row]) -> ReportBuilder {
    let average = format!("average rise (filter-relative, sigma {NOISE})");
    let worst = format!("worst-case rise (absolute, rho {BALL})");
    let words = Words {
        title: "Sharpness and cost",
        caption: "How far the training loss rises around the trained networks: on average under noise on the weights, at \
            the worst place nearby, and by its largest curvature λ_max. Small numbers mean a flat minimum. Radii \
            differ: do not compare the average rise with the worst-case rise. Beside them what one training took.",
        cannot_tell: "Which network generalizes better. A network can be made sharper by scaling its weights without \
            changing what it computes; only the average rise is designed to be unaffected by it.",
        header: &[
            "network",
            &average,
            &worst,
            "λ_max",
            "gradients",
            "ms per step",
        ],
    };
    with_columns(builder, &words, &with_names(rows, sharpness_columns(rows)))
}

/// The comparisons in words.
fn with_comparisons(builder: ReportBuilder, summary: &Summary, seeds: usize) -> ReportBuilder {
    let Some(first) = summary.comparisons.first() else {
        return builder;
    };
    let mut rows = Vec::new();
    for comparison in &summary.comparisons {
        let mut all = summary.rows.iter();
        let baseline =
            all.find(|row| (row.model, row.optimizer) == (comparison.model, comparison.baseline));
        let Some(baseline) = baseline else { continue };
        for statement in statements(comparison, baseline) {
            let verdict = match statement.verdict {
                "" => "one seed says nothing",
                verdict => verdict,
            };
            rows.push(vec![
                format!("{} {}", comparison.model, comparison.optimizer),
                statement.what.to_string(),
                with_minus_sign(&statement.difference),
                verdict.to_string(),
            ]);
        }
    }
    let title = match seeds {
        1 => "What one seed can show".to_string(),
        count => format!("What {} seeds can show", spelled(count)),
    };
    let compared = format!("compared with {}", first.baseline);
    let words = Words {
        title: &title,
        caption: "Both optimizers start from the same weights and see the same batches, so they are compared seed by \
            seed. Clear: p < 0.05 in a paired t-test.",
        cannot_tell: "Whether a clear difference is a large one, or a lucky one: by chance alone, one comparison in \
            twenty would be clear.",
        header: &["network", "quantity", &compared, "verdict"],
    };
    with_rows(builder, &words, rows)
}

/// The outermost eigenvalues, and what the end points are.
pub(crate) fn with_eigenvalues(builder: ReportBuilder, rows: &[Row]) -> ReportBuilder {
    let mut columns = spectrum_report::columns(rows);
    columns.push(Column::new("", rows, |row| {
        spectrum_report::short_end_point(&row.point)
    }));
    let caption = format!(
        "The curvatures of the training loss: the largest, the next four of the first seed, their sum, and the smallest. \
         The last column says what the end point of the first seed is. One whose gradient is longer than \
         {GRADIENT_ZERO} is not stationary, and so neither a minimum nor a saddle."
    );
    let words = Words {
        title: "Eigenvalues of the Hessian",
        caption: &caption,
        cannot_tell: "Whether negative curvature harms: compare λ_min with the largest one. And how many curvatures \
            there are of each size: that is in the spectra.",
        header: &[
            "network",
            "λ_max",
            "2nd to 5th",
            "trace",
            "λ_min",
            "norm of the gradient",
            "end point",
        ],
    };
    with_columns(builder, &words, &with_names(rows, columns))
}

/// Barriers of paths, before and after alignment, and the highest losses between MLPs.
pub(crate) fn with_barriers(mut builder: ReportBuilder, paths: &Paths) -> ReportBuilder {
    let words = Words {
        title: "Barriers",
        caption: "The barrier of a path is how far the training loss rises above the straight line between the losses of \
            its ends, here two networks that were trained from different seeds. Aligned: the hidden units of the second \
            network are put into the order of those of the first, by their weights or by their activations, whichever \
            gives the lower barrier. Repaired: the statistics of units in between are those of the ends.",
        cannot_tell: "Whether the networks are in separate wells. A barrier is that of one path, and the best order of \
            the units is not known.",
        header: &[
            "networks",
            "straight line",
            "aligned",
            "aligned and repaired",
            "fitted Bézier curve",
            "fitted chain",
        ],
    };
    builder = with_columns(builder, &words, &barriers_report::columns(&paths.pairs));
    for pair in &paths.pairs {
        builder = with_alignment(builder, pair);
    }
    let Some(graph) = &paths.graph else {
        return builder;
    };
    let words = Words {
        title: "Pairs of MLPs",
        caption: "The largest training loss between two MLPs of the comparison, on the straight line and on a fitted \
            Bézier curve. The lowest passes make the tree of MLPs.",
        cannot_tell: "Whether a lower pass exists.",
        header: &[
            "networks",
            "straight line",
            "fitted curve",
            "length of the curve",
        ],
    };
    with_columns(builder, &words, &graph_report::edges(graph))
}

fn with_alignment(builder: ReportBuilder, pair: &Connected) -> ReportBuilder {
    let [first, second] = pair.connection.seeds;
    let title = format!(
        "{}: seed {second} aligned to seed {first}",
        heading(pair.network)
    );
    let lines = pair
        .alignment
        .first()
        .map_or(0, |line| line.line.times.len());
    let caption = format!(
        "Reordering hidden units does not change what a network computes. The barrier on the line to the second network, \
         with its units in the order that one of these ways finds: as it is, and after REPAIR, which sets the means and \
         variances of units in between to those of the ends. Lines are measured at {lines} places, the curve at {}.",
        pair.connection.bezier.times.len()
    );
    let words = Words {
        title: &title,
        caption: &caption,
        cannot_tell: "Whether a better order exists: the search finds one that no exchange within a layer improves.",
        header: &[
            "the second network",
            "length of the path",
            "training images",
            "repaired, training images",
            "test images",
            "repaired, test images",
        ],
    };
    with_columns(builder, &words, &alignment_report::columns(pair))
}

/// `CNN`, `Wide MLP 64-128-128-128-10`.
fn heading(network: Network) -> String {
    let title = network.title();
    capitalized(&title.replace("cnn", "CNN").replace("mlp", "MLP"))
}

/// The columns beside the names of the rows.
fn with_names(rows: &[Row], columns: Vec<Column>) -> Vec<Column> {
    let names = [Column::names(rows)];
    names.into_iter().chain(columns).collect()
}

fn with_columns(builder: ReportBuilder, words: &Words<'_>, columns: &[Column]) -> ReportBuilder {
    with_rows(builder, words, cells(columns))
}

/// A table; none without rows.
fn with_rows(builder: ReportBuilder, words: &Words<'_>, rows: Vec<Vec<String>>) -> ReportBuilder {
    if rows.is_empty() {
        return builder;
    }
    let Words {
        title,
        caption,
        cannot_tell,
        header,
    } = words;
    builder.with_table(title, caption, cannot_tell, header, rows)
}
