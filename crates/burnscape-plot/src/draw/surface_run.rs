//! A training run over a surface: its path on the plane, and stems to its true losses.

use crate::draw::canvas::Stroke;
use crate::draw::color_bar::Colors;
use crate::draw::field::{Cell, Field};
use crate::draw::frame::Frame;
use crate::draw::geometry::Point;
use crate::draw::legend::Symbol;
use crate::draw::map::{dotted, loss_color};
use crate::draw::marker::{BLACK, MapMark, WHITE, draw_map_mark, draw_run};
use crate::draw::surface::View;
use crate::draw::surface_axes::Box3;
use crate::draw::theme::value_color;
use crate::{LandscapeFigure, TrajectoryMark};

const RADIUS: f64 = 3.25;
/// Dots closer than this hide each other.
const DISTANCE: f64 = 14.0;

/// A mark on the plane.
#[derive(Debug, Clone, Copy)]
struct Foot {
    place: [f64; 3],
    point: Point,
    is_hidden: bool,
}

pub(super) fn draw(
    frame: &mut Frame,
    axes: &Box3,
    figure: &LandscapeFigure,
    field: &Field<'_>,
    view: &View,
) {
    let marks = &figure.trajectory;
    let foot = |mark: &TrajectoryMark| {
        let at = [
            axes.0[0].scale.place(mark.x)?,
            axes.0[1].scale.place(mark.y)?,
        ];
        if !at.iter().all(|place| (0.0..=1.0).contains(place)) {
            return None;
        }
        let place = [at[0], at[1], height(axes, mark.plane_loss)?];
        Some(Foot {
            place,
            point: view.project(place),
            is_hidden: is_hidden(axes, field, place),
        })
    };
    let feet: Vec<Option<Foot>> = marks.iter().map(foot).collect();
    path(frame, &feet);
    let points: Vec<Option<Point>> = feet
        .iter()
        .map(|foot| foot.filter(|foot| !foot.is_hidden).map(|foot| foot.point))
        .collect();
    let mut dots = dotted(&points, DISTANCE);
    // The end is shown even if it is behind something.
    if let Some(last) = feet.iter().rposition(Option::is_some)
        && dots.last() != Some(&last)
    {
        dots.push(last);
    }
    for index in dots {
        let Some(foot) = feet[index] else {
            continue;
        };
        let Some(height) = height(axes, marks[index].loss) else {
            continue;
        };
        let [x, y, _] = foot.place;
        let head = view.project([x, y, height]);
        for stroke in [Stroke::new(WHITE, 3.0), Stroke::new(BLACK, 1.25)] {
            frame.canvas.line(&[foot.point, head], stroke);
        }
        let color = loss_color(frame, field, &Colors::Smooth, marks[index].loss);
        draw_map_mark(&mut frame.canvas, MapMark::Model(color), head, RADIUS);
    }
}

/// Lines that are seen, and dashes where the surface is before them.
fn path(frame: &mut Frame, feet: &[Option<Foot>]) {
    let mut run: Vec<Point> = vec![];
    let mut was_hidden = false;
    for pair in feet.windows(2) {
        let [Some(from), Some(to)] = pair else {
            piece(frame, &std::mem::take(&mut run), was_hidden);
            continue;
        };
        let is_hidden = from.is_hidden || to.is_hidden;
        if run.is_empty() || is_hidden != was_hidden {
            piece(frame, &run, was_hidden);
            run = vec![from.point];
            was_hidden = is_hidden;
        }
        run.push(to.point);
    }
    piece(frame, &run, was_hidden);
}

fn piece(frame: &mut Frame, points: &[Point], is_hidden: bool) {
    if is_hidden {
        for stroke in [Stroke::new(BLACK, 2.5), Stroke::new(WHITE, 1.25)] {
            frame.canvas.line(points, stroke.with_dash(&[2.0, 3.0]));
        }
    } else {
        draw_run(&mut frame.canvas, points);
    }
}

/// A little beyond the box at most.
fn height(axes: &Box3, value: f64) -> Option<f64> {
    Some(axes.0[2].scale.place(value)?.clamp(-0.05, 1.12))
}

fn is_hidden(axes: &Box3, field: &Field<'_>, place: [f64; 3]) -> bool {
    let index = |axis: usize, place: f64| {
        let coordinates = if axis == 0 { field.x } else { field.y };
        let places = |value: &f64| axes.0[axis].scale.place(*value).unwrap_or(0.0);
        let above = coordinates.partition_point(|value| places(value) < place);
        let nearer = above > 0
            && above < coordinates.len()
            && place - places(&coordinates[above - 1]) < places(&coordinates[above]) - place;
        if nearer {
            above - 1
        } else {
            above.min(coordinates.len() - 1)
        }
    };
    View::before(place)
        .take_while(|[x, y, height]| {
            (0.0..=1.0).contains(x) && (0.0..=1.0).contains(y) && *height <= 1.0
        })
        .any(
            |[x, y, height]| match field.cell(index(0, x), index(1, y)) {
                Cell::Value(surface) => surface > height + 0.02,
                Cell::Nan | Cell::NoPlace => false,
            },
        )
}

pub(super) fn legend(frame: &mut Frame, figure: &LandscapeFigure) {
    if figure.trajectory.is_empty() {
        return;
    }
    let dot = MapMark::Model(value_color(0.1));
    frame.legend(&[
        (
            Symbol::OnMap(MapMark::Run, 5.5),
            "training run on the plane (dotted where hidden)".to_owned(),
        ),
        (
            Symbol::OnMap(dot, RADIUS),
            "filled dot: its true loss".to_owned(),
        ),
    ]);
}
