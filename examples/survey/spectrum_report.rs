//! What is printed about eigenvalues.

use burnscape::krylov::{Axis, SpectralDensity};
use burnscape::spectrum::{CriticalPoint, PointKind};

use super::settings::{DENSITY_PROBES, DENSITY_STEPS, GRADIENT_ZERO, LEARNING_RATE};
use super::sparkline::sparkline;
use super::spectrum::TOP;
use super::summary::Row;
use super::table::{Column, table};

/// Characters of a density.
const WIDTH: usize = 60;
/// Densities this many times below the highest show as nothing.
const DEPTH: f64 = 1e5;

/// Eigenvalues, one row for each network with each optimizer.
pub(crate) fn columns(rows: &[Row]) -> Vec<Column> {
    vec![
        Column::estimates("λ_max", rows, 1.0, 2, |row| row.lambda_max),
        Column::new("2nd to 5th", rows, |row| {
            let values: Vec<String> = row.top[1..]
                .iter()
                .map(|value| format!("{value:.2}"))
                .collect();
            values.join(", ")
        }),
        Column::estimates("trace", rows, 1.0, 1, |row| row.trace),
        Column::estimates("λ_min", rows, 1.0, 3, |row| row.lambda_min),
        Column::estimates("|g|", rows, 1.0, 4, |row| row.gradient_norm),
    ]
}

pub(crate) fn section(rows: &[Row]) -> String {
    let verdicts = Column::bare(rows, |row| end_point(&row.point));
    let intervals: Vec<String> = rows.iter().map(interval).collect();
    format!(
        "Eigenvalues of the Hessian of the training loss\n{}\n  \
         λ_max        the sharpness; plain gradient descent at rate η is stable up to 2/η ({:.0} at the \
         first rate)\n  \
         2nd to {TOP}th   of the first seed\n  \
         trace        the sum of all; 95 % intervals of the first seed: {}\n  \
         λ_min, |g|   smallest Ritz value of {DENSITY_STEPS} Lanczos steps, gradient norm\n\n\
         What the first seed's end point is (a gradient up to {GRADIENT_ZERO} counts as zero)\n{}\n{}",
        table(rows, columns(rows)),
        2.0 / LEARNING_RATE,
        intervals.join(", "),
        table(rows, vec![verdicts]),
        densities(rows),
    )
}

/// What an end point is.
fn end_point(point: &CriticalPoint) -> String {
    match point.kind {
        PointKind::NotCritical => format!(
            "not stationary (|g| = {:.3}); {} negative curvatures",
            point.gradient_norm,
            negative(point, "at least ")
        ),
        _ => point.to_string(),
    }
}

/// What an end point is, as short as a table needs it.
pub(crate) fn short_end_point(point: &CriticalPoint) -> String {
    let negative = negative(point, "≥ ");
    match point.kind {
        PointKind::NotCritical => format!("not stationary, {negative} negative"),
        PointKind::Saddle => format!("saddle, {negative} negative"),
        PointKind::Minimum => "minimum".to_string(),
        PointKind::DegenerateMinimum => "minimum, flat directions".to_string(),
        PointKind::Maximum => "maximum".to_string(),
        _ => point.to_string(),
    }
}

/// How many curvatures are negative, as far as that is certain.
fn negative(point: &CriticalPoint, at_least: &str) -> String {
    let has_one = usize::from(point.lambda_min < -point.zero);
    match (point.negative.exact, point.negative.at_least.max(has_one)) {
        (Some(0), _) | (None, 0) => "no".to_string(),
        (Some(count), _) => count.to_string(),
        (None, count) => format!("{at_least}{count}"),
    }
}

fn interval(row: &Row) -> String {
    let trace = &row.first_trace;
    let half = trace.half_width.unwrap_or(f64::NAN);
    // A half width is not rounded to nothing.
    let decimals = match half > 0.0 && half < 0.5 {
        true => (-half.log10().floor()).min(9.0) as usize,
        false => 0,
    };
    format!("{:.decimals$} ± {half:.decimals$}", trace.value)
}

fn densities(rows: &[Row]) -> String {
    if rows.iter().all(|row| row.density.is_none()) {
        return String::new();
    }
    let ends = |row: &Row| {
        let measure = row.density.as_ref().map(SpectralDensity::measure);
        let ends = measure.and_then(|measure| {
            let nodes = &measure.nodes;
            Some((*nodes.first()?, *nodes.last()?))
        });
        ends.map_or(String::new(), |(low, high)| {
            format!("{low:.2} to {high:.1}")
        })
    };
    let columns = vec![
        Column::new("from, to", rows, ends),
        Column::bare(rows, |row| row.density.as_ref().map_or(String::new(), bars)),
    ];
    format!(
        "Density of the eigenvalues of the first seed, logarithmic over {:.0} decades, {DENSITY_PROBES} probes of \
         {DENSITY_STEPS} steps\n{}\n",
        DEPTH.log10(),
        table(rows, columns)
    )
}

fn bars(density: &SpectralDensity) -> String {
    let Ok(curve) = density.curve(Axis::Linear, WIDTH, None) else {
        return String::new();
    };
    let high = curve
        .density
        .iter()
        .copied()
        .fold(f64::MIN_POSITIVE, f64::max);
    let shown: Vec<f64> = curve
        .density
        .iter()
        .map(|value| {
            if *value < high / DEPTH {
                f64::NAN
            } else {
                *value
            }
        })
        .collect();
    sparkline(&shown, high / DEPTH, high)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_end_point_with_a_gradient_is_no_saddle() {
        let count = |at_least: usize| {
            json!({
                "at_least": at_least, "exact": null, "estimate": null, "interval": null, "standard_error": null,
            })
        };
        let point = |kind: &str| -> CriticalPoint {
            let point = json!({
                "kind": kind, "confidence": 1.0, "loss": 0.0026, "gradient_norm": 0.0161, "gradient_tolerance": 0.001,
                "lambda_min": -0.0062, "lambda_min_residual": 0.0, "lambda_max": 3.28, "lambda_max_residual": 0.0,
                "negative": count(7), "positive": count(43), "zero": 0.0001, "dimension": 1922, "num_matvecs": 62,
            });
            serde_json::from_value(point).unwrap()
        };
        let moving = point("not_critical");
        assert_eq!(
            end_point(&moving),
            "not stationary (|g| = 0.016); at least 7 negative curvatures"
        );
        assert_eq!(short_end_point(&moving), "not stationary, ≥ 7 negative");
        assert_eq!(short_end_point(&point("saddle")), "saddle, ≥ 7 negative");
    }
}
