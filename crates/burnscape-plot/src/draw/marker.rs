//! Marks of single points, one form for each curve.

use crate::draw::canvas::{Canvas, Stroke};
use crate::draw::geometry::Point;
use crate::draw::theme::Color;

/// White and black: one of them is visible on every value of a map.
pub(super) const WHITE: Color = [255, 255, 255];
pub(super) const BLACK: Color = [16, 16, 20];

/// A dot on a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MapMark {
    /// A model, in the color of its loss.
    Model(Color),
    /// A piece of a training run.
    Run,
    /// A minimum.
    Minimum,
    /// A minimum that the grid does not resolve.
    Unresolved,
}

/// A dot with a white ring in a black one.
pub(super) fn draw_map_mark(canvas: &mut Canvas, mark: MapMark, at: Point, radius: f64) {
    let ring = Stroke::new(WHITE, 1.25);
    match mark {
        MapMark::Model(color) => {
            canvas.dot(at, radius + 1.5, Some(BLACK), None);
            canvas.dot(at, radius, Some(color), Some(ring));
        }
        MapMark::Run => {
            let ends = [
                [at[0] - radius, at[1] + 0.5 * radius],
                [at[0] + radius, at[1] - 0.5 * radius],
            ];
            draw_run(canvas, &ends);
        }
        MapMark::Minimum => canvas.dot(at, radius, Some(WHITE), Some(Stroke::new(BLACK, 1.5))),
        MapMark::Unresolved => {
            canvas.dot(at, radius, None, Some(Stroke::new(BLACK, 3.5)));
            canvas.dot(at, radius, None, Some(Stroke::new(WHITE, 1.5)));
        }
    }
}

/// The line of a training run: white in black.
pub(super) fn draw_run(canvas: &mut Canvas, points: &[Point]) {
    canvas.line(points, Stroke::new(BLACK, 3.25));
    canvas.line(points, Stroke::new(WHITE, 1.25));
}

/// The form of a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    Circle,
    Square,
    Up,
    Diamond,
    Down,
}

impl Marker {
    /// The marker of a curve.
    pub(super) fn of(index: usize) -> Self {
        [
            Self::Circle,
            Self::Square,
            Self::Up,
            Self::Diamond,
            Self::Down,
        ][index % 5]
    }
}

pub(super) fn draw_marker(
    canvas: &mut Canvas,
    marker: Marker,
    [x, y]: Point,
    radius: f64,
    color: Color,
) {
    let r = radius;
    let corners: &[Point] = match marker {
        Marker::Circle => {
            canvas.dot([x, y], r, Some(color), None);
            return;
        }
        Marker::Square => &[[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]],
        Marker::Up => &[[0.0, -1.25], [1.15, 0.85], [-1.15, 0.85]],
        Marker::Diamond => &[[0.0, -1.3], [1.3, 0.0], [0.0, 1.3], [-1.3, 0.0]],
        Marker::Down => &[[0.0, 1.25], [1.15, -0.85], [-1.15, -0.85]],
    };
    let points: Vec<Point> = corners
        .iter()
        .map(|[dx, dy]| [x + r * dx, y + r * dy])
        .collect();
    canvas.area(&points, color);
}
