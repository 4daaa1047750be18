//! A landscape in three dimensions, seen from the front left and from above, without perspective.

use crate::draw::canvas::{Shape, Stroke};
use crate::draw::field::{Cell, Field};
use crate::draw::frame::Frame;
use crate::draw::geometry::{Point, Rect};
use crate::draw::marker::{BLACK, WHITE};
use crate::draw::plane::ScaledAxis;
use crate::draw::scale::Scale;
use crate::draw::surface_axes::{Box3, box_and_axes};
use crate::draw::surface_run;
use crate::draw::theme::{Color, mixed, value_color};
use crate::{AxisScale, LandscapeFigure, PlotError};

/// Finer grids are drawn with a stride.
const MOST_CELLS: usize = 64;
/// About so many lines of the mesh along each axis.
const MESH: usize = 17;

/// From places to the picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    center: Point,
    unit: f64,
}

/// Turned by 30°, seen from 33° above.
const TURN: [f64; 2] = [0.866_025_403_784_438_6, 0.5];
const TILT: [f64; 2] = [0.838_670_567_945_424, 0.544_639_035_015_027];
/// The height of the box, in halves of its sides.
const HEIGHT: f64 = 1.05;

impl View {
    /// The whole box inside a rectangle.
    pub(super) fn inside(rect: Rect) -> Self {
        let half = TURN[0] + TURN[1];
        let height = 2.0 * half * TILT[1] + HEIGHT * TILT[0];
        let unit = (rect.width() / (2.0 * half)).min(rect.height() / height);
        // The box is as far from both sides, and its middle is half its height above the floor's.
        let center = [
            0.5 * (rect.left + rect.right),
            0.5 * (rect.top + rect.bottom) + 0.5 * unit * HEIGHT * TILT[0],
        ];
        Self { center, unit }
    }

    /// The places before this one on its line of sight, from near to far: what is there and as high hides it.
    pub(super) fn before([x, y, height]: [f64; 3]) -> impl Iterator<Item = [f64; 3]> {
        const STEP: f64 = 0.015;
        (3..200).map(move |step| {
            let nearer = STEP * f64::from(step);
            let rise = 2.0 * nearer * TILT[1] / (HEIGHT * TILT[0]);
            [x + TURN[1] * nearer, y - TURN[0] * nearer, height + rise]
        })
    }

    /// Places along both directions and the height, each from 0 to 1.
    pub(super) fn project(&self, [x, y, height]: [f64; 3]) -> Point {
        let [u, v] = [2.0 * x - 1.0, 2.0 * y - 1.0];
        let up = height * HEIGHT * TILT[0] + depth([x, y]) * TILT[1];
        [
            self.center[0] + self.unit * (TURN[0] * u + TURN[1] * v),
            self.center[1] - self.unit * up,
        ]
    }
}

/// How far back a place is.
pub(super) fn depth([x, y]: [f64; 2]) -> f64 {
    TURN[0] * (2.0 * y - 1.0) - TURN[1] * (2.0 * x - 1.0)
}

pub(super) fn draw(frame: &mut Frame, figure: &LandscapeFigure) -> Result<(), PlotError> {
    let field = Field::of(figure, "surface")?;
    if field.x.len() < 2 || field.y.len() < 2 {
        let message = "a surface needs two points along each direction; draw a curve or a heat map"
            .to_owned();
        return Err(PlotError::Draw { message });
    }
    frame.note(&field.notes("hole", "hole"));
    surface_run::legend(frame, figure);
    let nothing = PlotError::NothingFinite { figure: "surface" };
    let scales = [field.x, field.y].map(|axis| Scale::of(AxisScale::Linear, axis.iter().copied()));
    let [Some(x), Some(y)] = scales else {
        return Err(nothing);
    };
    let scales = [x, y, field.scale.clone()];
    let axes = Box3(std::array::from_fn(|axis| ScaledAxis {
        label: figure.labels[axis].clone(),
        scale: scales[axis].clone(),
    }));
    let view = box_and_axes(frame, &axes)?;
    let mut items = vec![];
    surface(frame, &axes, &field, &view, &mut items);
    items.sort_by(|a, b| b.0.total_cmp(&a.0));
    frame
        .canvas
        .shapes
        .extend(items.into_iter().map(|item| item.1));
    surface_run::draw(frame, &axes, figure, &field, &view);
    Ok(())
}

type Item = (f64, Shape);

fn strided(count: usize) -> Vec<usize> {
    let stride = (count - 1).div_ceil(MOST_CELLS).max(1);
    let mut indices: Vec<usize> = (0..count).step_by(stride).collect();
    if indices.last() != Some(&(count - 1)) {
        indices.push(count - 1);
    }
    indices
}

fn surface(frame: &mut Frame, axes: &Box3, field: &Field<'_>, view: &View, items: &mut Vec<Item>) {
    let (columns, rows) = (strided(field.x.len()), strided(field.y.len()));
    let place = |axis: usize, value: f64| axes.0[axis].scale.place(value).unwrap_or(0.0);
    let x: Vec<f64> = columns.iter().map(|i| place(0, field.x[*i])).collect();
    let y: Vec<f64> = rows.iter().map(|j| place(1, field.y[*j])).collect();
    let mesh = [x.len().div_ceil(MESH), y.len().div_ceil(MESH)];
    for i in 0..x.len() - 1 {
        for j in 0..y.len() - 1 {
            let corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)];
            let heights = corners.map(|(i, j)| match field.cell(columns[i], rows[j]) {
                Cell::Value(place) => Some(place),
                Cell::Nan | Cell::NoPlace => None,
            });
            if let [Some(a), Some(b), Some(c), Some(d)] = heights {
                let heights = [a, b, c, d];
                let points: [Point; 4] = std::array::from_fn(|k| {
                    let (i, j) = corners[k];
                    view.project([x[i], y[j], heights[k]])
                });
                let slopes = [
                    0.5 * (b + c - a - d) / (x[i + 1] - x[i]),
                    0.5 * (c + d - a - b) / (y[j + 1] - y[j]),
                ];
                let color = lit(value_color(0.25 * (a + b + c + d)), slopes);
                let back = depth([0.5 * (x[i] + x[i + 1]), 0.5 * (y[j] + y[j + 1])]);
                let area = Shape::Area {
                    points: points.to_vec(),
                    fill: color,
                    opacity: 1.0,
                    outline: Some(Stroke::new(color, 0.75)),
                };
                items.push((back, area));
                let line = Stroke::new(mixed(color, BLACK, 0.72), 0.5);
                let mut mesh_line = |from: usize, to: usize| {
                    let points = vec![points[from], points[to]];
                    items.push((
                        back - 1e-9,
                        Shape::Line {
                            points,
                            stroke: line,
                        },
                    ));
                };
                if j % mesh[1] == 0 {
                    mesh_line(0, 1);
                }
                if i % mesh[0] == 0 {
                    mesh_line(0, 3);
                }
                if j + 2 == y.len() {
                    mesh_line(3, 2);
                }
                if i + 2 == x.len() {
                    mesh_line(1, 2);
                }
            } else {
                let floor = corners.map(|(i, j)| view.project([x[i], y[j], 0.0]));
                let color = mixed(frame.theme.gray, frame.theme.ground, 0.6);
                frame.canvas.area(&floor, color);
            }
        }
    }
}

/// Darker where it turns away from a light on the left.
fn lit(color: Color, [along_x, along_y]: [f64; 2]) -> Color {
    // Places are from 0 to 1, and the box is not a cube.
    let normal = [-0.5 * HEIGHT * along_x, -0.5 * HEIGHT * along_y, 1.0];
    let length = normal.iter().map(|c| c * c).sum::<f64>().sqrt();
    let light = [-0.55, -0.25, 0.80];
    let cosine = normal.iter().zip(light).map(|(n, l)| n * l).sum::<f64>() / length;
    let (share, other) = if cosine > 0.8 {
        (1.0 - 0.5 * (cosine - 0.8), WHITE)
    } else {
        (1.0 - 0.42 * (0.8 - cosine).min(1.0), BLACK)
    };
    mixed(color, other, share)
}
