//! The page of a study: its table, its checks and its charts.

use burnscape::plot::{Content, CurveFigure, Panel, PlotAxis, Report, Series};

use super::frame::{Chart, Finished};
use super::provenance::machine;
use super::table::{grid, seeds_in_words};
use crate::survey::date::today;

/// An axis is logarithmic if its values are positive and span more than this factor.
const WIDE: f64 = 30.0;

pub(crate) fn page(finished: &Finished<'_>) -> Report {
    let Finished {
        study,
        plan,
        found,
        verdict,
        seconds,
        ..
    } = finished;
    let mut report = Report::new(format!("Study: {}", study.name))
        .with_line(study.papers.join("; "))
        .with_line(seeds_in_words(&plan.seeds))
        .with_line(format!("{}, {}, {seconds:.0} s", today(), machine()))
        .with_sentence(study.claim)
        .with_sentence(format!("Verdict: {}.", verdict.outcome));
    if plan.quick {
        report = report.with_sentence("A quick look: these numbers mean nothing.");
    }
    let (header, rows) = grid(found);
    if !rows.is_empty() {
        report = report.with_panel(Panel {
            title: "What was measured".to_string(),
            caption: caption(study.ran, found.notes()),
            cannot_tell: study.wrong.to_string(),
            content: Content::Table { header, rows },
        });
    }
    let checks = verdict.checks.iter().map(|check| {
        let holds = if check.holds { "yes" } else { "no" };
        vec![check.text.clone(), holds.to_string()]
    });
    let checks: Vec<Vec<String>> = checks.collect();
    if !checks.is_empty() {
        report = report.with_panel(Panel {
            title: "The criterion".to_string(),
            caption: format!("What would change the verdict: {}", study.would_change),
            cannot_tell: String::new(),
            content: Content::Table {
                header: ["check", "holds"].map(str::to_string).to_vec(),
                rows: checks,
            },
        });
    }
    for chart in found.charts() {
        if let Some(figure) = figure(chart) {
            report = report.with_panel(Panel {
                title: chart.name.clone(),
                caption: format!("{} over {}.", chart.y, chart.x),
                cannot_tell: String::new(),
                content: Content::Curves(vec![figure]),
            });
        }
    }
    report
}

/// What was run, and the notes.
fn caption(ran: &str, notes: &[String]) -> String {
    let notes = notes.iter().map(|note| format!(" {note}"));
    std::iter::once(ran.to_string()).chain(notes).collect()
}

/// The lines of a chart that have a finite point; none if there is no such line.
fn figure(chart: &Chart) -> Option<CurveFigure> {
    let lines = chart.lines.iter();
    let lines = lines.filter(|(_, points)| points.iter().any(|(x, y)| (x + y).is_finite()));
    let series: Vec<Series> = lines
        .map(|(name, points)| {
            let (x, y) = points.iter().copied().unzip();
            Series::new(name, x, y)
        })
        .collect();
    if series.is_empty() {
        return None;
    }
    Some(CurveFigure {
        x: axis(&chart.x, series.iter().flat_map(|line| &line.x)),
        y: axis(&chart.y, series.iter().flat_map(|line| &line.y)),
        series,
        ..CurveFigure::default()
    })
}

fn axis<'v>(name: &str, values: impl Iterator<Item = &'v f64>) -> PlotAxis {
    let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.filter(|value| value.is_finite()) {
        least = least.min(*value);
        most = most.max(*value);
    }
    let axis = PlotAxis::new(name);
    match least > 0.0 && most > WIDE * least {
        true => axis.log(),
        false => axis,
    }
}

#[cfg(test)]
mod tests {
    use burnscape::plot::AxisScale;

    use super::*;

    fn chart(points: Vec<(f64, f64)>) -> Chart {
        Chart {
            name: "loss".to_string(),
            x: "step".to_string(),
            y: "loss".to_string(),
            lines: vec![("a".to_string(), points)],
        }
    }

    #[test]
    fn wide_positive_axes_are_logarithmic() {
        let figure = figure(&chart(vec![(0.0, 1.0), (50.0, 1e-6)])).unwrap();
        assert_eq!(figure.x.scale, AxisScale::Linear);
        assert_eq!(figure.y.scale, AxisScale::Log);
    }

    #[test]
    fn charts_without_a_finite_point_are_left_out() {
        assert!(figure(&chart(vec![(0.0, f64::NAN)])).is_none());
        assert!(figure(&chart(Vec::new())).is_none());
    }
}
