//! A landscape that has been checked, and what its cells are.

use crate::draw::frame::{Frame, counted};
use crate::draw::geometry::Rect;
use crate::draw::legend::Symbol;
use crate::draw::plane::Plane;
use crate::draw::same_length;
use crate::draw::scale::Scale;
use crate::draw::theme::{Color, Theme};
use crate::{AxisScale, LandscapeFigure, PlotError};

/// Values on a grid with the scale of their colors.
#[derive(Debug)]
pub(super) struct Field<'a> {
    pub(super) x: &'a [f64],
    pub(super) y: &'a [f64],
    values: &'a [f64],
    pub(super) scale: Scale,
}

/// What a cell shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell {
    /// A place on the scale.
    Value(f64),
    Nan,
    /// Infinite, or not positive on a logarithmic scale.
    NoPlace,
}

/// How a cell is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    Color(Color),
    Hatched,
}

impl<'a> Field<'a> {
    pub(super) fn of(figure: &'a LandscapeFigure, kind: &'static str) -> Result<Self, PlotError> {
        let cells = figure.x.len() * figure.y.len();
        same_length("values of the landscape", cells, figure.values.len())?;
        if cells == 0 {
            return Err(PlotError::Empty { figure: kind });
        }
        increasing("x", &figure.x)?;
        increasing("y", &figure.y)?;
        if !figure.basins.is_empty() {
            same_length("basins of the landscape", cells, figure.basins.len())?;
        }
        for (name, values) in &figure.metrics {
            same_length(&format!("values of metric `{name}`"), cells, values.len())?;
        }
        let scale = Scale::of(figure.scale, figure.values.iter().copied());
        Ok(Self {
            x: &figure.x,
            y: &figure.y,
            values: &figure.values,
            scale: scale.ok_or(PlotError::NothingFinite { figure: kind })?,
        })
    }

    pub(super) fn cell(&self, i: usize, j: usize) -> Cell {
        self.cell_of(self.values[i * self.y.len() + j])
    }

    pub(super) fn cell_of(&self, value: f64) -> Cell {
        match self.scale.place(value) {
            Some(place) => Cell::Value(place),
            None if value.is_nan() => Cell::Nan,
            None => Cell::NoPlace,
        }
    }

    /// How many cells are not on the scale, in sentences.
    pub(super) fn notes(&self, hatched: &str, gray: &str) -> Vec<String> {
        let count = |is: fn(f64) -> bool| self.values.iter().filter(|value| is(**value)).count();
        let mut notes = vec![];
        let mut note = |count: usize, what: &str| {
            if count > 0 {
                notes.push(format!("{} {what}.", counted(count, "cell", "cells")));
            }
        };
        note(count(f64::is_nan), &format!("NaN ({hatched})"));
        note(
            count(|value| value == f64::INFINITY),
            &format!("+∞ ({gray})"),
        );
        note(
            count(|value| value == f64::NEG_INFINITY),
            &format!("−∞ ({gray})"),
        );
        if self.scale.kind() == AxisScale::Log {
            let what = format!("not positive ({gray}) on the logarithmic scale");
            note(count(|value| value.is_finite() && value <= 0.0), &what);
        }
        notes
    }

    /// Legend entries of the cells that are not on the scale.
    pub(super) fn legend(&self, theme: &Theme) -> Vec<(Symbol, String)> {
        let has = |cell: Cell| self.values.iter().any(|value| self.cell_of(*value) == cell);
        let mut entries = vec![];
        if has(Cell::Nan) {
            let symbol = Symbol::Cell {
                fill: theme.ground,
                hatch: Some(theme.axis),
            };
            entries.push((symbol, "NaN".to_owned()));
        }
        if has(Cell::NoPlace) {
            let symbol = Symbol::Cell {
                fill: theme.gray,
                hatch: None,
            };
            let lost = || {
                self.values
                    .iter()
                    .filter(|value| self.cell_of(**value) == Cell::NoPlace)
            };
            let names = [
                (lost().any(|value| *value == f64::INFINITY), "+∞"),
                (lost().any(|value| *value == f64::NEG_INFINITY), "−∞"),
                (lost().any(|value| value.is_finite()), "not positive"),
            ];
            let names: Vec<&str> = names
                .into_iter()
                .filter(|name| name.0)
                .map(|name| name.1)
                .collect();
            entries.push((symbol, names.join(" or ")));
        }
        entries
    }
}

fn increasing(axis: &'static str, coordinates: &[f64]) -> Result<(), PlotError> {
    let mut before = f64::NEG_INFINITY;
    for (index, &coordinate) in coordinates.iter().enumerate() {
        if !coordinate.is_finite() || coordinate <= before {
            return Err(PlotError::Coordinates { axis, index });
        }
        before = coordinate;
    }
    Ok(())
}

/// Borders between cells around the coordinates, and those of the first and the last.
pub(super) fn edges(coordinates: &[f64]) -> Vec<f64> {
    let middle = |a: f64, b: f64| 0.5 * a + 0.5 * b;
    let [first, .., last] = coordinates else {
        let only = coordinates.first().copied().unwrap_or(0.0);
        let around = 0.5 * only.abs().max(1.0);
        return vec![only - around, only + around];
    };
    let inner: Vec<f64> = coordinates
        .windows(2)
        .map(|pair| middle(pair[0], pair[1]))
        .collect();
    let start = first - (inner[0] - first);
    let end = last + (last - inner[inner.len() - 1]);
    let finite = |value: f64| value.clamp(f64::MIN, f64::MAX);
    [vec![finite(start)], inner, vec![finite(end)]].concat()
}

/// Paints cells between borders; neighbors in a row that look alike become one.
pub(super) fn paint_cells(
    frame: &mut Frame,
    plane: &Plane,
    x_edges: &[f64],
    y_edges: &[f64],
    fill: impl Fn(usize, usize) -> Option<Fill>,
) {
    let snap = |value: f64| (2.0 * value).round() / 2.0;
    let x: Vec<f64> = x_edges
        .iter()
        .filter_map(|x| plane.x(*x))
        .map(snap)
        .collect();
    let y: Vec<f64> = y_edges
        .iter()
        .filter_map(|y| plane.y(*y))
        .map(snap)
        .collect();
    for j in 0..y.len().saturating_sub(1) {
        let mut start = 0;
        while start + 1 < x.len() {
            let kind = fill(start, j);
            let mut end = start + 1;
            while end + 1 < x.len() && fill(end, j) == kind {
                end += 1;
            }
            let rect = Rect::new(x[start], y[j + 1], x[end], y[j]);
            match kind {
                Some(Fill::Color(color)) => frame.canvas.tile(rect, color),
                Some(Fill::Hatched) => {
                    frame.canvas.tile(rect, frame.theme.ground);
                    frame.canvas.hatch(rect, frame.theme.axis);
                }
                None => {}
            }
            start = end;
        }
    }
}
