//! Settings and weights that are not the same for all tensors.

use burnscape::merge::{ByPath, MergeReport, MergedTensor};

use super::error::CommandError;
use super::job::{Job, Part};
use super::output::{shape, table};
use super::recipe::BY_PATH;
use super::scoped::by_path;
use super::settings::{has_weights, is_used};

/// A column of a table of tensors.
struct Column {
    title: &'static str,
    cells: Vec<String>,
}

/// What is done with each tensor, as a table. It has a column for each setting whose values differ.
pub(crate) fn tensors_text(job: &Job, report: &MergeReport) -> Result<String, CommandError> {
    let mut columns = vec![
        column("tensor", report, |tensor| tensor.name.clone()),
        column("shape", report, |tensor| shape(&tensor.shape)),
        column("method", report, |tensor| tensor.method.clone()),
    ];
    let parts: Vec<&Part> = job.all().collect();
    let places = job.parts_by_path();
    let part = |tensor: &MergedTensor| parts[*places.at(&tensor.name)];
    for setting in BY_PATH {
        let values = parts.iter().map(|part| {
            let uses = is_used(setting, part.method);
            let values = uses.then(|| part.settings.by_path(setting, part.method, &part.place));
            values.transpose()
        });
        let values: Vec<Option<ByPath<f64>>> = values.collect::<Result<_, CommandError>>()?;
        columns.extend(varied(column(setting, report, |tensor| {
            let values = values[*places.at(&tensor.name)].as_ref();
            let values = values.filter(|_| tensor.method == part(tensor).method.to_string());
            values.map_or(String::new(), |values| values.at(&tensor.name).to_string())
        })));
    }
    if let Some(weights) = &job.weights {
        let place = &job.own.place;
        let weights = weights
            .iter()
            .map(|values| by_path("weights", 1.0, values, place));
        let weights: Vec<ByPath<f64>> = weights.collect::<Result<_, CommandError>>()?;
        columns.extend(varied(column("weights", report, |tensor| {
            if tensor.method == "copied" || !has_weights(part(tensor).method) {
                return String::new();
            }
            let weights = weights.iter().map(|weights| weights.at(&tensor.name));
            let weights: Vec<String> = weights.map(f64::to_string).collect();
            weights.join(",")
        })));
    }
    columns.push(column("note", report, |tensor| {
        tensor.note.clone().unwrap_or_default()
    }));

    let titles = columns.iter().map(|column| column.title.to_string());
    let mut rows = vec![titles.collect::<Vec<String>>()];
    for row in 0..report.tensors.len() {
        rows.push(
            columns
                .iter()
                .map(|column| column.cells[row].clone())
                .collect(),
        );
    }
    let lefts: Vec<usize> = (0..columns.len()).collect();
    Ok(table(&rows, &lefts))
}

fn column(
    title: &'static str,
    report: &MergeReport,
    cell: impl Fn(&MergedTensor) -> String,
) -> Column {
    let cells = report.tensors.iter().map(cell).collect();
    Column { title, cells }
}

/// A column, unless all tensors that have a value have the same.
fn varied(column: Column) -> Option<Column> {
    let mut cells = column.cells.iter().filter(|cell| !cell.is_empty());
    let first = cells.next()?;
    let varies = cells.any(|cell| cell != first);
    varies.then_some(column)
}
