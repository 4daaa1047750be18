//! Lines of equal value, with a color between each two.

use crate::draw::canvas::Stroke;
use crate::draw::color_bar::Colors;
use crate::draw::field::{Cell, Field, Fill, paint_cells};
use crate::draw::frame::Frame;
use crate::draw::geometry::Point;
use crate::draw::heat_map;
use crate::draw::isolines::{Grid, Ring};
use crate::draw::map::{lay_out, overlay};
use crate::draw::plane::Plane;
use crate::draw::theme::{mixed, value_color};
use crate::{LandscapeFigure, PlotError};

/// So many lines are still apart.
const MOST_LEVELS: usize = 14;

pub(super) fn draw(frame: &mut Frame, figure: &LandscapeFigure) -> Result<(), PlotError> {
    let field = Field::of(figure, "contour map")?;
    let ([x0, .., x1], [y0, .., y1]) = (field.x, field.y) else {
        // One row has no lines.
        return heat_map::draw(frame, figure);
    };
    let levels = field.scale.levels(MOST_LEVELS);
    let colors = Colors::Bands(levels.clone());
    let plane = lay_out(frame, figure, &field, [[*x0, *x1], [*y0, *y1]], &colors)?;
    let grid = Grid {
        columns: field.x.len(),
        rows: field.y.len(),
        place: |i: usize, j: usize| match field.cell(i, j) {
            Cell::Value(place) => Some(place),
            Cell::Nan | Cell::NoPlace => None,
        },
    };
    let rings = grid.rings(&levels);
    frame.canvas.tile(plane.rect, colors.band(0));
    for ring in &rings {
        let band = ring.level + usize::from(ring.area > 0.0);
        let points: Vec<Point> = ring
            .points
            .iter()
            .filter_map(|at| on_plane(&plane, &field, *at))
            .collect();
        frame.canvas.area(&points, colors.band(band));
    }
    for ring in &rings {
        let color = mixed(value_color(levels[ring.level]), [0, 0, 0], 0.62);
        for line in lines(ring) {
            let points: Vec<Point> = line
                .iter()
                .filter_map(|at| on_plane(&plane, &field, *at))
                .collect();
            frame.canvas.line(&points, Stroke::new(color, 0.75));
        }
    }
    cover_missing(frame, &plane, &field, &colors);
    overlay(frame, &plane, figure, &field, &colors);
    Ok(())
}

/// From indices of the grid, with fractions, to the picture.
fn on_plane(plane: &Plane, field: &Field<'_>, [i, j]: Point) -> Option<Point> {
    let between = |coordinates: &[f64], index: f64| {
        let low = (index.floor() as usize).min(coordinates.len() - 1);
        let high = (low + 1).min(coordinates.len() - 1);
        let t = index - low as f64;
        coordinates[low] * (1.0 - t) + coordinates[high] * t
    };
    plane.point(between(field.x, i), between(field.y, j))
}

/// The pieces of a ring that are lines of the data.
fn lines(ring: &Ring) -> Vec<Vec<Point>> {
    let count = ring.points.len();
    // Begin behind a gap, so that no piece is cut at the first point.
    let first = (0..count)
        .find(|&index| !ring.is_line[(index + count - 1) % count])
        .unwrap_or(0);
    let mut pieces: Vec<Vec<Point>> = vec![];
    let mut is_open = false;
    for step in 0..count {
        let index = (first + step) % count;
        if ring.is_line[index] {
            let end = ring.points[(index + 1) % count];
            match pieces.last_mut() {
                Some(piece) if is_open => piece.push(end),
                _ => pieces.push(vec![ring.points[index], end]),
            }
        }
        is_open = ring.is_line[index];
    }
    pieces
}

/// Quarters of the squares with a missing corner: each is as its corner says, since nothing is known between.
fn cover_missing(frame: &mut Frame, plane: &Plane, field: &Field<'_>, colors: &Colors) {
    let halves = |coordinates: &[f64]| {
        let inner = coordinates
            .windows(2)
            .flat_map(|pair| [pair[0], 0.5 * pair[0] + 0.5 * pair[1]]);
        inner
            .chain(coordinates.last().copied())
            .collect::<Vec<f64>>()
    };
    let fill = |i: usize, j: usize| match field.cell(i, j) {
        Cell::Value(place) => Fill::Color(colors.at(place)),
        Cell::Nan => Fill::Hatched,
        Cell::NoPlace => Fill::Color(frame.theme.gray),
    };
    let is_missing = |i: usize, j: usize| !matches!(field.cell(i, j), Cell::Value(_));
    let quarter = |column: usize, row: usize| {
        let (i, j) = (column / 2, row / 2);
        let corners = [(i, j), (i + 1, j), (i, j + 1), (i + 1, j + 1)];
        let has_gap = corners.into_iter().any(|(i, j)| is_missing(i, j));
        has_gap.then(|| fill(column.div_ceil(2), row.div_ceil(2)))
    };
    let quarters: Vec<Vec<Option<Fill>>> = (0..2 * (field.x.len() - 1))
        .map(|column| {
            (0..2 * (field.y.len() - 1))
                .map(|row| quarter(column, row))
                .collect()
        })
        .collect();
    paint_cells(
        frame,
        plane,
        &halves(field.x),
        &halves(field.y),
        |column, row| quarters[column][row],
    );
}
