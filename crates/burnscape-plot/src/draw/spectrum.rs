//! The density of eigenvalues, with single ones as sticks.

use crate::draw::canvas::{Anchor, Stroke};
use crate::draw::curve_parts::{draw_band, draw_line};
use crate::draw::frame::{Frame, LABEL, TICK, counted};
use crate::draw::geometry::Rect;
use crate::draw::labels::Labels;
use crate::draw::legend::Symbol;
use crate::draw::number_text::{short, trimmed};
use crate::draw::plane::{Grid, Plane, ScaledAxis};
use crate::draw::scale::Scale;
use crate::draw::theme::{Color, mixed};
use crate::draw::{same_length, text};
use crate::{AxisScale, PlotError, SpectrumFigure};

const KIND: &str = "spectrum";
const BAND: f64 = 0.25;
const THIN: f64 = 0.75;
/// A lower end of the band below this share of the curve is not drawn: it falls to zero, on a logarithmic axis forever.
const NEAR: f64 = 0.2;
/// How much red there is below zero.
const NEGATIVE: f64 = 0.13;
/// Below this many decades of the highest density, there is only the tail of the smoothing.
const DECADES: f64 = 7.0;

pub(super) fn draw(frame: &mut Frame, figure: &SpectrumFigure) -> Result<(), PlotError> {
    check(figure)?;
    let (x, y) = scales(figure)?;
    frame.note(&notes(figure));
    legend(frame, figure);
    let plane = frame.axes(x, y, Grid::Horizontal)?;
    let mut labels = Labels::default();
    let name = text::width("density", f64::from(LABEL), false);
    let left = frame.room.left;
    labels.take(Rect::new(
        left,
        plane.rect.top - 24.0,
        left + name + 8.0,
        plane.rect.top,
    ));
    negative(frame, &plane, figure);
    sticks(frame, &plane, figure, &mut labels);
    band(frame, &plane, figure);
    let color = frame.theme.series(0);
    let stroke = Stroke::new(color, 1.75);
    draw_line(
        frame,
        &plane,
        &figure.eigenvalues,
        &figure.density,
        stroke,
        None,
    );
    Ok(())
}

fn check(figure: &SpectrumFigure) -> Result<(), PlotError> {
    let points = figure.eigenvalues.len();
    same_length("densities of the spectrum", points, figure.density.len())?;
    for end in figure.band.iter().flatten() {
        same_length("the band of the spectrum", points, end.len())?;
    }
    if points == 0 && figure.outliers.is_empty() {
        return Err(PlotError::Empty { figure: KIND });
    }
    Ok(())
}

fn scales(figure: &SpectrumFigure) -> Result<(ScaledAxis, ScaledAxis), PlotError> {
    let nothing = || PlotError::NothingFinite { figure: KIND };
    let curve = || figure.eigenvalues.iter().zip(&figure.density);
    let has_curve = curve().any(|(x, y)| (x + y).is_finite() && *y > 0.0);
    // Also where the density is zero: several spectra may have one axis.
    let covered = curve()
        .filter(|(_, y)| has_curve && y.is_finite() && **y >= 0.0)
        .map(|(x, _)| *x);
    let x = Scale::of(
        AxisScale::Linear,
        covered.chain(figure.outliers.iter().copied()),
    );
    let densities = curve().filter(|(x, _)| x.is_finite()).map(|(_, y)| *y);
    let y = match Scale::of(AxisScale::Log, densities) {
        Some(y) => y,
        // Sticks have no height.
        None => Scale::of(AxisScale::Log, [0.01, 1.0]).ok_or_else(nothing)?,
    };
    let x = ScaledAxis {
        label: "eigenvalue".to_owned(),
        scale: x.ok_or_else(nothing)?.padded(0.02, 0.04),
    };
    let y = ScaledAxis {
        label: "density".to_owned(),
        scale: y.with_floor(DECADES).padded(0.0, 0.06),
    };
    Ok((x, y))
}

fn notes(figure: &SpectrumFigure) -> Vec<String> {
    let not_finite = figure.eigenvalues.iter().zip(&figure.density);
    let not_finite = not_finite
        .filter(|(x, y)| !(x.is_finite() && y.is_finite()))
        .count();
    let lost = figure.outliers.iter().filter(|x| !x.is_finite()).count();
    let mut notes = vec![];
    if not_finite > 0 {
        notes.push(format!(
            "{} not finite (gaps).",
            counted(not_finite, "density", "densities")
        ));
    }
    if lost > 0 {
        notes.push(format!(
            "{} not finite and not drawn.",
            counted(lost, "eigenvalue", "eigenvalues")
        ));
    }
    notes
}

fn legend(frame: &mut Frame, figure: &SpectrumFigure) {
    let color = frame.theme.series(0);
    let mut entries = vec![];
    if !figure.density.is_empty() {
        entries.push((
            Symbol::Line(Stroke::new(color, 1.75), None),
            "density".to_owned(),
        ));
    }
    let is_near = near(figure);
    if is_near.contains(&true) {
        entries.push((Symbol::Band(color, BAND), "error band".to_owned()));
    }
    if upper(figure, &is_near).iter().any(|height| *height > 0.0) {
        let stroke = Stroke::new(color, THIN);
        entries.push((
            Symbol::Line(stroke, None),
            "upper end of the error".to_owned(),
        ));
    }
    let outliers = figure.outliers.iter().filter(|x| x.is_finite()).count();
    if outliers > 0 {
        let noun = if outliers == 1 { "outlier" } else { "outliers" };
        entries.push((
            Symbol::Stick(frame.theme.series(1)),
            format!("{outliers} {noun}"),
        ));
    }
    if let Some(mass) = figure.negative_mass.filter(|mass| !mass.is_nan()) {
        let share = format!("below zero: {} %", trimmed(100.0 * mass, 2));
        entries.push((Symbol::Band(frame.theme.warning, NEGATIVE), share));
    }
    frame.legend(&entries);
}

/// For each point, whether the lower end of its band is near the curve. Empty without a band.
fn near(figure: &SpectrumFigure) -> Vec<bool> {
    let lower = figure.band.iter().flat_map(|[lower, _]| lower);
    let points = lower.zip(&figure.density);
    let is_near = points.map(|(low, density)| *low > 0.0 && *low >= NEAR * density);
    is_near.collect()
}

/// The upper end of the band where there is no lower one, and one point beyond; elsewhere not a number.
fn upper(figure: &SpectrumFigure, is_near: &[bool]) -> Vec<f64> {
    let is_alone = |index: usize| {
        let around = index.saturating_sub(1)..(index + 2).min(is_near.len());
        is_near[around].contains(&false)
    };
    let upper = figure.band.iter().flat_map(|[_, upper]| upper);
    let heights = upper.enumerate().map(|(index, height)| {
        if is_alone(index) && height.is_finite() {
            *height
        } else {
            f64::NAN
        }
    });
    heights.collect()
}

/// The band, and only its upper end where the lower one is near zero: it would be a slab down to the axis.
fn band(frame: &mut Frame, plane: &Plane, figure: &SpectrumFigure) {
    let Some([lower, upper_end]) = &figure.band else {
        return;
    };
    let is_near = near(figure);
    let lower = lower.iter().zip(&is_near);
    let lower = lower.map(|(low, is_near)| if *is_near { *low } else { f64::NAN });
    let color = frame.theme.series(0);
    let ends = [lower.collect(), upper_end.clone()];
    draw_band(frame, plane, &figure.eigenvalues, &ends, color, BAND);
    let alone = upper(figure, &is_near);
    let stroke = Stroke::new(color, THIN);
    draw_line(frame, plane, &figure.eigenvalues, &alone, stroke, None);
}

/// The side below zero, in red.
fn negative(frame: &mut Frame, plane: &Plane, figure: &SpectrumFigure) {
    let Some(mass) = figure.negative_mass.filter(|mass| !mass.is_nan()) else {
        return;
    };
    let rect = plane.rect;
    let zero = plane
        .x(0.0)
        .unwrap_or(rect.left)
        .clamp(rect.left, rect.right);
    let below = Rect::new(rect.left, rect.top, zero, rect.bottom);
    if mass > 0.0 && below.width() > 0.5 {
        let color = mixed(frame.theme.warning, frame.theme.ground, NEGATIVE);
        frame.canvas.tile(below, color);
        let stroke = Stroke::new(frame.theme.warning, 1.0).with_dash(&[3.0, 3.0]);
        frame
            .canvas
            .line(&[[zero, rect.top], [zero, rect.bottom]], stroke);
    }
}

/// Writes above the box, near `x`, unless something else is there.
fn above(frame: &mut Frame, plane: &Plane, label: &str, x: f64, color: Color, labels: &mut Labels) {
    let size = f64::from(TICK);
    let width = text::width(label, size, false);
    let left = (x - 0.5 * width).min(frame.room.right - width);
    let baseline = plane.rect.top - 9.0;
    let place = |left: f64| {
        Rect::new(
            left - 5.0,
            baseline - size,
            left + width + 5.0,
            baseline + 2.0,
        )
    };
    // The label of the axis is in the way of what is near it.
    let mut lefts = [left, x + 2.0, left + 0.75 * width].into_iter();
    let free = lefts.find(|left| labels.is_free(place(*left)) && left + width <= frame.room.right);
    if let Some(left) = free {
        labels.take(place(left));
        frame
            .canvas
            .text([left, baseline], label, TICK, Anchor::Start, color);
    }
}

/// Sticks have all the same height: they are single eigenvalues and have no density.
fn sticks(frame: &mut Frame, plane: &Plane, figure: &SpectrumFigure, labels: &mut Labels) {
    let rect = plane.rect;
    let color = frame.theme.series(1);
    let mut sorted: Vec<f64> = figure
        .outliers
        .iter()
        .copied()
        .filter(|x| x.is_finite())
        .collect();
    sorted.sort_by(f64::total_cmp);
    // The largest one first: it is what people quote.
    for value in sorted.into_iter().rev() {
        if let Some(x) = plane.x(value) {
            frame
                .canvas
                .line(&[[x, rect.bottom], [x, rect.top]], Stroke::new(color, 1.0));
            frame.canvas.dot([x, rect.top], 2.75, Some(color), None);
            above(frame, plane, &short(value), x, frame.theme.ink, labels);
        }
    }
}
