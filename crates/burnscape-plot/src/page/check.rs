//! What a page is refused for.

use super::{Content, Report};
use crate::{CurveFigure, LandscapeFigure, PlotError};

/// Checks everything but drawings, which check themselves.
pub(super) fn check(report: &Report) -> Result<(), PlotError> {
    filled("report", &report.panels)?;
    report
        .panels
        .iter()
        .try_for_each(|panel| content(&panel.content))
}

fn content(content: &Content) -> Result<(), PlotError> {
    match content {
        Content::Landscapes(views) => {
            filled("landscape panel", views)?;
            views.iter().try_for_each(landscape)
        }
        Content::Curves(charts) => {
            filled("curve panel", charts)?;
            charts.iter().try_for_each(curves)
        }
        Content::Trust(rows) => filled("trust panel", rows),
        Content::Figure(..) => Ok(()),
        Content::Topology(branches) => {
            filled("topology panel", branches)?;
            finite("topology panel", branches.iter().map(|branch| branch.birth))
        }
        Content::Bars(bars) => filled("bar table", bars),
        Content::Table { header, rows } => {
            filled("table", header)?;
            filled("table", rows)?;
            rows.iter().enumerate().try_for_each(|(index, row)| {
                lengths(
                    || format!("cells of row {index} of the table"),
                    header.len(),
                    row.len(),
                )
            })
        }
    }
}

fn landscape(view: &LandscapeFigure) -> Result<(), PlotError> {
    filled("landscape", &view.x)?;
    filled("landscape", &view.y)?;
    increasing("x", &view.x)?;
    increasing("y", &view.y)?;
    let cells = view.x.len() * view.y.len();
    lengths(
        || "values of the landscape".into(),
        cells,
        view.values.len(),
    )?;
    for (name, values) in &view.metrics {
        lengths(
            || format!("values of the metric `{name}`"),
            cells,
            values.len(),
        )?;
    }
    if !view.basins.is_empty() {
        lengths(
            || "basins of the landscape".into(),
            cells,
            view.basins.len(),
        )?;
    }
    finite("landscape", view.values.iter().copied())
}

fn curves(chart: &CurveFigure) -> Result<(), PlotError> {
    filled("curve", &chart.series)?;
    for series in &chart.series {
        let name = &series.name;
        lengths(
            || format!("values of the curve `{name}`"),
            series.x.len(),
            series.y.len(),
        )?;
        for end in series.band.iter().flatten() {
            lengths(
                || format!("band of the curve `{name}`"),
                series.x.len(),
                end.len(),
            )?;
        }
    }
    let points = chart
        .series
        .iter()
        .flat_map(|series| series.x.iter().zip(&series.y));
    // A point needs both of its numbers.
    finite("curve", points.map(|(x, y)| x + y))
}

fn filled<T>(figure: &'static str, values: &[T]) -> Result<(), PlotError> {
    if values.is_empty() {
        return Err(PlotError::Empty { figure });
    }
    Ok(())
}

fn finite(figure: &'static str, mut values: impl Iterator<Item = f64>) -> Result<(), PlotError> {
    if values.any(f64::is_finite) {
        return Ok(());
    }
    Err(PlotError::NothingFinite { figure })
}

fn lengths(what: impl FnOnce() -> String, expected: usize, found: usize) -> Result<(), PlotError> {
    if expected == found {
        return Ok(());
    }
    Err(PlotError::Lengths {
        what: what(),
        expected,
        found,
    })
}

fn increasing(axis: &'static str, values: &[f64]) -> Result<(), PlotError> {
    let is_wrong = |index: usize| {
        !values[index].is_finite() || (index > 0 && values[index] <= values[index - 1])
    };
    match (0..values.len()).find(|&index| is_wrong(index)) {
        Some(index) => Err(PlotError::Coordinates { axis, index }),
        None => Ok(()),
    }
}
