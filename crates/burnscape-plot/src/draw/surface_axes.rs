//! The box around a surface: floor, walls, ticks and labels.

use crate::PlotError;
use crate::draw::canvas::{Anchor, Stroke};
use crate::draw::frame::{Frame, LABEL, TICK};
use crate::draw::geometry::{Point, Rect};
use crate::draw::plane::ScaledAxis;
use crate::draw::surface::View;
use crate::draw::text;
use crate::draw::theme::mixed;

/// The most ticks along a direction.
const MOST: usize = 5;

/// Both directions and the height.
pub(super) struct Box3(pub(super) [ScaledAxis; 3]);

/// Draws the box and says where its inside is.
pub(super) fn box_and_axes(frame: &mut Frame, axes: &Box3) -> Result<View, PlotError> {
    let size = f64::from(TICK);
    let rows = ((frame.room.height() / 70.0) as usize).clamp(2, 6);
    let heights = axes.0[2].scale.ticks(rows).major;
    let widest = heights
        .iter()
        .map(|(_, label)| text::width(label, size, false))
        .fold(0.0, f64::max);
    let room = frame.room;
    let rect = Rect::new(
        room.left + widest + 12.0,
        room.top + 18.0,
        room.right - 30.0,
        room.bottom - 26.0,
    );
    let rect = frame.enough(rect)?;
    let view = View::inside(rect);
    planes(frame, axes, &view, &heights);
    let axis = Stroke::new(frame.theme.axis, 1.0);
    let corner = |at: [f64; 3]| view.project(at);
    frame.canvas.line(
        &[
            corner([0.0, 0.0, 1.0]),
            corner([0.0, 0.0, 0.0]),
            corner([1.0, 0.0, 0.0]),
            corner([1.0, 1.0, 0.0]),
        ],
        axis,
    );
    for (place, label) in &heights {
        let [x, y] = corner([0.0, 0.0, *place]);
        frame.canvas.line(&[[x - 4.0, y], [x, y]], axis);
        let at = [x - 7.0, y + 0.36 * size];
        frame
            .canvas
            .text(at, label, TICK, Anchor::End, frame.theme.secondary);
    }
    height_label(frame, &axes.0[2], corner([0.0, 0.0, 1.0]));
    floor_axis(frame, axes, &view, 0);
    floor_axis(frame, axes, &view, 1);
    Ok(view)
}

/// The floor and the two walls behind, with lines at the ticks.
fn planes(frame: &mut Frame, axes: &Box3, view: &View, heights: &[(f64, String)]) {
    let ground = frame.theme.ground;
    let fills = [0.35, 0.6, 0.45].map(|share| mixed(frame.theme.grid, ground, share));
    let planes = [
        [
            [0.0, 0.0, 0.0],
            [1.0, 0.0, 0.0],
            [1.0, 1.0, 0.0],
            [0.0, 1.0, 0.0],
        ],
        [
            [0.0, 0.0, 0.0],
            [0.0, 1.0, 0.0],
            [0.0, 1.0, 1.0],
            [0.0, 0.0, 1.0],
        ],
        [
            [0.0, 1.0, 0.0],
            [1.0, 1.0, 0.0],
            [1.0, 1.0, 1.0],
            [0.0, 1.0, 1.0],
        ],
    ];
    for (plane, fill) in planes.iter().zip(fills) {
        let points = plane.map(|corner| view.project(corner));
        frame.canvas.area(&points, fill);
    }
    let line = Stroke::new(mixed(frame.theme.axis, ground, 0.35), 0.75);
    let mut draw = |points: [[f64; 3]; 3]| {
        let points = points.map(|at| view.project(at));
        frame.canvas.line(&points, line);
    };
    for (place, _) in heights {
        draw([[0.0, 0.0, *place], [0.0, 1.0, *place], [1.0, 1.0, *place]]);
    }
    for (place, _) in axes.0[0].scale.ticks(MOST).major {
        draw([[place, 0.0, 0.0], [place, 1.0, 0.0], [place, 1.0, 1.0]]);
    }
    for (place, _) in axes.0[1].scale.ticks(MOST).major {
        draw([[1.0, place, 0.0], [0.0, place, 0.0], [0.0, place, 1.0]]);
    }
}

/// Ticks and the label of a direction along its edge in front.
fn floor_axis(frame: &mut Frame, axes: &Box3, view: &View, axis: usize) {
    let size = f64::from(TICK);
    let edge = |place: f64| match axis {
        0 => view.project([place, 0.0, 0.0]),
        _ => view.project([1.0, place, 0.0]),
    };
    let [from, to] = [edge(0.0), edge(1.0)];
    let length = (to[0] - from[0]).hypot(to[1] - from[1]).max(1.0);
    // Away from the floor.
    let out: Point = [-(to[1] - from[1]) / length, (to[0] - from[0]) / length];
    let ticks = axes.0[axis].scale.ticks(MOST).major;
    let stroke = Stroke::new(frame.theme.axis, 1.0);
    let anchor = if axis == 0 {
        Anchor::End
    } else {
        Anchor::Start
    };
    let mut widest: f64 = 0.0;
    for (place, label) in &ticks {
        let [x, y] = edge(*place);
        let end = [x + 4.0 * out[0], y + 4.0 * out[1]];
        frame.canvas.line(&[[x, y], end], stroke);
        let at = [end[0] + 4.0 * out[0], end[1] + 5.0 * out[1] + 0.5 * size];
        frame
            .canvas
            .text(at, label, TICK, anchor, frame.theme.secondary);
        widest = widest.max(text::width(label, size, false));
    }
    let distance = 24.0 + if axis == 0 { 0.35 } else { 0.8 } * widest;
    let room = frame.room;
    // Beside the middle of the edge, or farther in front where there is more room.
    let beside = |place: f64| {
        let [x, y] = edge(place);
        [x + distance * out[0], y + distance * out[1] + 12.0]
    };
    let room_at = |[x, _]: Point| match axis {
        0 => x - room.left,
        _ => room.right - x,
    };
    let places = if axis == 0 {
        [0.5, 0.62, 0.74]
    } else {
        [0.5, 0.38, 0.26]
    }
    .map(beside);
    let full = axes.0[axis].text(f64::INFINITY);
    let width = text::width(&full, f64::from(LABEL), false);
    let fitting = places.into_iter().find(|at| width <= room_at(*at));
    let at = fitting.unwrap_or(places[2]);
    let name = axes.0[axis].text(room_at(at));
    frame.canvas.text(at, &name, LABEL, anchor, frame.theme.ink);
}

/// Above the axis, or in the corner if it is long.
fn height_label(frame: &mut Frame, axis: &ScaledAxis, [x, y]: Point) {
    let room = frame.room;
    let name = axis.text(room.width());
    let half = 0.5 * text::width(&name, f64::from(LABEL), false);
    let color = frame.theme.ink;
    if x - half >= room.left && half < 45.0 {
        frame
            .canvas
            .text([x, y - 12.0], &name, LABEL, Anchor::Middle, color);
    } else {
        let at = [room.left, room.top + f64::from(LABEL)];
        frame.canvas.text(at, &name, LABEL, Anchor::Start, color);
    }
}
