//! Curves, with shaded intervals and a bracket.

use crate::draw::canvas::{Anchor, Stroke};
use crate::draw::curve_parts::{Missing, draw_band, draw_line, marker_of, stroke_of};
use crate::draw::frame::{Frame, TICK};
use crate::draw::geometry::{Point, Rect};
use crate::draw::legend::Symbol;
use crate::draw::plane::{Grid, Plane, ScaledAxis};
use crate::draw::scale::Scale;
use crate::draw::theme::mixed;
use crate::draw::{same_length, text};
use crate::{AxisScale, BarrierBracket, CurveFigure, PlotError, ShadedRegion};

const KIND: &str = "curve";
const BAND: f64 = 0.2;

pub(super) fn draw(frame: &mut Frame, figure: &CurveFigure) -> Result<(), PlotError> {
    check(figure)?;
    let (x, y) = scales(figure)?;
    let mut missing = Missing::default();
    for series in &figure.series {
        missing.add(&series.x, &series.y, figure.y.scale == AxisScale::Log);
    }
    frame.note(&missing.sentences());
    if figure.series.len() > 1 || figure.series.iter().any(|series| !series.name.is_empty()) {
        let entries: Vec<_> = figure
            .series
            .iter()
            .enumerate()
            .map(|(index, series)| {
                let marker = marker_of(index, series.x.len());
                (
                    Symbol::Line(stroke_of(frame, index), marker),
                    series.name.clone(),
                )
            })
            .collect();
        frame.legend(&entries);
    }
    let plane = frame.axes(x, y, Grid::Horizontal)?;
    for region in &figure.regions {
        shade(frame, &plane, region);
    }
    for (index, series) in figure.series.iter().enumerate() {
        if let Some(band) = &series.band {
            let color = frame.theme.series(index);
            draw_band(frame, &plane, &series.x, band, color, BAND);
        }
    }
    for (index, series) in figure.series.iter().enumerate() {
        let marker = marker_of(index, series.x.len());
        let stroke = stroke_of(frame, index);
        draw_line(frame, &plane, &series.x, &series.y, stroke, marker);
    }
    for region in &figure.regions {
        name(frame, &plane, region);
    }
    if let Some(bracket) = &figure.bracket {
        point_out(frame, &plane, figure, bracket);
    }
    Ok(())
}

fn check(figure: &CurveFigure) -> Result<(), PlotError> {
    for series in &figure.series {
        let name = &series.name;
        let points = series.x.len();
        same_length(&format!("values of curve `{name}`"), points, series.y.len())?;
        for end in series.band.iter().flatten() {
            same_length(&format!("the band of curve `{name}`"), points, end.len())?;
        }
    }
    if figure.series.iter().all(|series| series.x.is_empty()) {
        return Err(PlotError::Empty { figure: KIND });
    }
    Ok(())
}

fn scales(figure: &CurveFigure) -> Result<(ScaledAxis, ScaledAxis), PlotError> {
    let nothing = || PlotError::NothingFinite { figure: KIND };
    let x = figure
        .series
        .iter()
        .flat_map(|series| series.x.iter().copied());
    let x = Scale::of(figure.x.scale, x).ok_or_else(nothing)?;
    let values = figure.series.iter().flat_map(|series| {
        let has_place =
            |x: &f64| x.is_finite() && (figure.x.scale == AxisScale::Linear || *x > 0.0);
        let curve = series.x.iter().zip(&series.y);
        curve.filter(move |(x, _)| has_place(x)).map(|(_, y)| *y)
    });
    let values: Vec<f64> = values.collect();
    let middle = Scale::of(figure.y.scale, values.iter().copied()).ok_or_else(nothing)?;
    // A band widens the axis, but not so far that nobody sees the curve.
    let near = |value: &f64| {
        middle
            .place(*value)
            .is_some_and(|place| (-1.0..=2.0).contains(&place))
    };
    let bands = figure
        .series
        .iter()
        .filter_map(|series| series.band.as_ref())
        .flatten()
        .flatten();
    let bracket = figure
        .bracket
        .iter()
        .flat_map(|bracket| [bracket.low, bracket.high]);
    let all = values
        .iter()
        .copied()
        .chain(bands.copied().filter(near))
        .chain(bracket);
    let y = Scale::of(figure.y.scale, all).ok_or_else(nothing)?;
    let scaled = |axis: &crate::PlotAxis, scale: Scale| ScaledAxis {
        label: axis.label.clone(),
        scale,
    };
    let y = y.with_zero_if_near().padded(0.0, 0.06);
    let y = if y.place(0.0).is_some_and(|zero| zero.abs() < 1e-9) {
        y
    } else {
        y.padded(0.05, 0.0)
    };
    Ok((scaled(&figure.x, x), scaled(&figure.y, y)))
}

/// The part of a region inside the axes.
fn inside(plane: &Plane, region: &ShadedRegion) -> Option<Rect> {
    let ends = [plane.x(region.from)?, plane.x(region.to)?];
    let left = ends[0].min(ends[1]).max(plane.rect.left);
    let right = ends[0].max(ends[1]).min(plane.rect.right);
    let rect = Rect::new(left, plane.rect.top, right, plane.rect.bottom);
    (right > left).then_some(rect)
}

fn shade(frame: &mut Frame, plane: &Plane, region: &ShadedRegion) {
    if let Some(rect) = inside(plane, region) {
        let color = mixed(frame.theme.axis, frame.theme.ground, 0.16);
        frame.canvas.tile(rect, color);
    }
}

fn name(frame: &mut Frame, plane: &Plane, region: &ShadedRegion) {
    let Some(rect) = inside(plane, region) else {
        return;
    };
    let size = f64::from(TICK);
    let label = text::fit(&region.label, size, false, rect.width() - 4.0);
    if label.chars().count() > 2 || label == region.label {
        let at = [0.5 * (rect.left + rect.right), rect.top + 1.2 * size];
        frame
            .canvas
            .text(at, &label, TICK, Anchor::Middle, frame.theme.ink);
    }
}

/// A vertical span with ends, and its text where it covers the least of the curves.
fn point_out(frame: &mut Frame, plane: &Plane, figure: &CurveFigure, bracket: &BarrierBracket) {
    let ends = (
        plane.x(bracket.at),
        plane.y(bracket.low),
        plane.y(bracket.high),
    );
    let (Some(x), Some(low), Some(high)) = ends else {
        return;
    };
    let rect = plane.rect;
    if !rect.grown(0.5).contains([x, rect.top]) {
        return;
    }
    let stroke = Stroke::new(frame.theme.ink, 1.5);
    for part in rect.grown(1.0).clip_line(&[[x, low], [x, high]]) {
        frame.canvas.line(&part, stroke);
    }
    for y in [low, high]
        .into_iter()
        .filter(|y| rect.grown(1.0).contains([x, *y]))
    {
        frame.canvas.line(&[[x - 5.0, y], [x + 5.0, y]], stroke);
    }
    let size = f64::from(TICK);
    let label = text::fit(&bracket.label, size, false, 0.6 * rect.width());
    if label.is_empty() {
        return;
    }
    let width = text::width(&label, size, false);
    let curves: Vec<Point> = figure
        .series
        .iter()
        .flat_map(|series| series.x.iter().zip(&series.y))
        .filter_map(|(x, y)| plane.point(*x, *y))
        .collect();
    let heights = [0.5, 0.3, 0.7, 0.12, 0.88].map(|t| low + t * (high - low));
    let candidates = heights
        .into_iter()
        .chain([high - 14.0, low + 14.0])
        .flat_map(|y| {
            [(x + 9.0, Anchor::Start), (x - 9.0, Anchor::End)].map(|(at, anchor)| (at, y, anchor))
        });
    let boxed = |&(at, y, anchor): &(f64, f64, Anchor)| {
        let left = if anchor == Anchor::Start {
            at
        } else {
            at - width
        };
        Rect::new(left, y - 0.6 * size, left + width, y + 0.6 * size).grown(2.0)
    };
    let covered = |candidate: &(f64, f64, Anchor)| {
        let rect = boxed(candidate);
        curves.iter().filter(|point| rect.contains(**point)).count()
    };
    let best = candidates
        .filter(|candidate| rect.holds(&boxed(candidate)))
        .min_by_key(covered);
    if let Some((at, y, anchor)) = best {
        frame.plate([at, y + 0.36 * size], &label, anchor, frame.theme.ink);
    }
}
