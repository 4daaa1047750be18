//! The tables of the page.

use burnscape::report::ReportBuilder;

use super::alignment_report;
use super::barriers_report;
use super::findings::Findings;
use super::graph_report;
use super::paths_run::Paths;
use super::reading::statements;
use super::report::{fit_columns, sharpness_columns};
use super::spectrum_report;
use super::summary::{Row, Summary};
use super::table::{Column, cells};

/// What a table says, and what it does not.
struct Words<'a> {
    title: &'a str,
    caption: &'a str,
    cannot_tell: &'a str,
    header: &'a [&'a str],
}

pub(crate) fn with_tables(builder: ReportBuilder, found: &Findings<'_>) -> ReportBuilder {
    let rows = &found.summary.rows;
    let builder = with_fit(builder, rows);
    let builder = with_comparisons(builder, found.summary);
    let builder = with_eigenvalues(builder, rows);
    with_barriers(builder, found.paths)
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
    let builder = with_columns(builder, &words, &with_names(rows, fit_columns(rows)));
    let words = Words {
        title: "Sharpness and cost",
        caption: "How far the training loss rises around the trained networks: under noise on the weights, at the worst \
            place near by, and by its largest curvature λ_max. Small numbers mean a flat minimum. Beside them what one \
            training took.",
        cannot_tell: "Which network generalizes better. A network can be made sharper by scaling its weights without \
            changing what it computes; only the average rise is made not to depend on that.",
        header: &[
            "network",
            "average rise",
            "worst-case rise",
            "λ_max",
            "gradients",
            "ms a step",
        ],
    };
    with_columns(builder, &words, &with_names(rows, sharpness_columns(rows)))
}

/// The comparisons in words.
fn with_comparisons(builder: ReportBuilder, summary: &Summary) -> ReportBuilder {
    let mut rows = Vec::new();
    for comparison in &summary.comparisons {
        let mut all = summary.rows.iter();
        let baseline =
            all.find(|row| (row.model, row.optimizer) == (comparison.model, comparison.baseline));
        let Some(baseline) = baseline else { continue };
        let rises = (baseline.average_rise.mean, baseline.worst_case_rise.mean);
        for statement in statements(comparison, rises) {
            let verdict = match statement.verdict {
                "" => "one seed says nothing",
                verdict => verdict,
            };
            rows.push(vec![
                format!("{} {}", comparison.model, comparison.optimizer),
                statement.what.to_string(),
                statement.difference,
                verdict.to_string(),
            ]);
        }
    }
    let words = Words {
        title: "What the seeds allow to say",
        caption: "Both optimizers start from the same weights and see the same batches, so they are compared seed by \
            seed. A difference is clear beyond the 95 % points of Student's t.",
        cannot_tell: "Whether a clear difference is a large one, or a lucky one: by chance alone, one comparison in \
            twenty would be clear.",
        header: &[
            "network",
            "quantity",
            "compared with the first optimizer",
            "verdict",
        ],
    };
    with_rows(builder, &words, rows)
}

fn with_eigenvalues(builder: ReportBuilder, rows: &[Row]) -> ReportBuilder {
    let mut columns = spectrum_report::columns(rows);
    columns.push(Column::new("", rows, |row| row.point.to_string()));
    let words = Words {
        title: "Eigenvalues of the Hessian",
        caption: "The curvatures of the training loss: the largest, the next four of the first seed, their sum, and the \
            smallest. The last column says what the end point of the first seed is.",
        cannot_tell: "That a saddle harms: compare its negative curvature, λ_min, with the largest one. And how many \
            curvatures there are of each size: that is in the spectra.",
        header: &[
            "network",
            "λ_max",
            "2nd to 5th",
            "trace",
            "λ_min",
            "length of the gradient",
            "end point",
        ],
    };
    with_columns(builder, &words, &with_names(rows, columns))
}

fn with_barriers(mut builder: ReportBuilder, paths: &Paths) -> ReportBuilder {
    let words = Words {
        title: "Barriers",
        caption: "How far the training loss rises above the worse of two networks that were trained from different \
            seeds: along the straight line between them, along the line after the hidden units of the second network \
            were put into the order of those of the first, the same with repaired statistics, and along fitted curves.",
        cannot_tell: "That the networks are in separate wells. A barrier is that of one path, and the best order of the \
            units is not known.",
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
        let [first, second] = pair.connection.seeds;
        let title = format!("Alignment of {} {second} to {first}", pair.network.title());
        let words = Words {
            title: &title,
            caption: "Networks whose hidden units are in another order compute the same. The barrier on the line to the \
                second network, with its units in the order that one of these ways finds: as it is, and after REPAIR, \
                which sets the means and variances of units in between to those of the ends.",
            cannot_tell: "Whether a better order exists: the search finds one that no exchange within a layer improves.",
            header: &[
                "the second network",
                "distance",
                "training images",
                "repaired, training images",
                "test images",
                "repaired, test images",
            ],
        };
        builder = with_columns(builder, &words, &alignment_report::columns(pair));
    }
    let Some(graph) = &paths.graph else {
        return builder;
    };
    let words = Words {
        title: "Pairs of the graph",
        caption: "The largest training loss between two MLPs, on the straight line and on a fitted Bézier curve. The \
            lowest passes make the tree of networks.",
        cannot_tell: "That no lower pass exists.",
        header: &[
            "networks",
            "straight line",
            "fitted curve",
            "length of the curve",
        ],
    };
    with_columns(builder, &words, &graph_report::edges(graph))
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
