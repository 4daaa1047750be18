//! A merge tree: minima at the bottom, passes where branches bend into deeper ones.

use crate::draw::canvas::{Anchor, Stroke};
use crate::draw::frame::{Frame, TICK};
use crate::draw::geometry::{Point, Rect};
use crate::draw::legend::Symbol;
use crate::draw::number_text::short;
use crate::draw::plane::{Grid, Plane, ScaledAxis};
use crate::draw::scale::Scale;
use crate::draw::text;
use crate::draw::tree_layout::{Drawn, Resolution, Tree};
use crate::{AxisScale, PlotError, TreeBranch};

const KIND: &str = "merge tree";
/// A branch needs so much width.
const BRANCH: f64 = 9.0;
const DASH: &[f64] = &[4.0, 3.0];

pub(super) fn draw(frame: &mut Frame, branches: &[TreeBranch]) -> Result<(), PlotError> {
    let most = ((frame.room.width() - 60.0) / BRANCH).max(1.0) as usize;
    let tree = Tree::of(branches, KIND, most)?;
    let values = tree
        .branches
        .iter()
        .flat_map(|drawn| [Some(drawn.branch.birth), drawn.branch.death]);
    let scale = Scale::of(AxisScale::Linear, values.flatten());
    let scale = scale.ok_or(PlotError::NothingFinite { figure: KIND })?;
    frame.note(&tree.notes());
    legend(frame, &tree);
    let size = f64::from(TICK);
    let is_down = tree.is_downward();
    // Room for labels below the minima, and for branches that go on.
    let (below, above) = (0.04 + 2.6 * size / frame.room.height(), 0.1);
    let y = ScaledAxis {
        label: "loss".to_owned(),
        scale: if is_down {
            scale.padded(above, below)
        } else {
            scale.padded(below, above)
        },
    };
    let x = ScaledAxis {
        label: String::new(),
        scale: Scale::of(AxisScale::Linear, [0.0, 1.0]).ok_or(PlotError::Empty { figure: KIND })?,
    };
    let plane = frame.tree_axes(x, y)?;
    let order = tree.order();
    let mut places = vec![0.0; order.len()];
    let gap = plane.rect.width() / order.len() as f64;
    for (position, &index) in order.iter().enumerate() {
        places[index] = plane.rect.left + gap * (position as f64 + 0.5);
    }
    for (index, drawn) in tree.branches.iter().enumerate() {
        let parent = drawn.parent.map(|parent| places[parent]);
        branch(frame, &plane, &tree, drawn, places[index], parent);
    }
    for (index, drawn) in tree.branches.iter().enumerate() {
        minimum(frame, &plane, &tree, drawn, places[index]);
    }
    names(frame, &plane, &tree, &order, &places, is_down);
    Ok(())
}

impl Frame {
    /// A vertical axis only.
    fn tree_axes(&mut self, x: ScaledAxis, y: ScaledAxis) -> Result<Plane, PlotError> {
        let before = self.canvas.shapes.len();
        let bottom = self.room.bottom;
        self.room.bottom += 18.0;
        let plane = self.axes(x, y, Grid::Horizontal)?;
        self.room.bottom = bottom;
        // Positions have no meaning, and no ticks.
        let rect = plane.rect;
        let mut shapes = self.canvas.shapes.split_off(before);
        shapes.retain(|shape| !is_below(shape, rect));
        self.canvas.shapes.extend(shapes);
        Ok(plane)
    }
}

fn is_below(shape: &crate::draw::canvas::Shape, rect: Rect) -> bool {
    use crate::draw::canvas::Shape;
    match shape {
        Shape::Line { points, .. } => points.iter().all(|point| point[1] >= rect.bottom),
        Shape::Text { at, .. } => at[1] > rect.bottom + 10.0,
        _ => false,
    }
}

fn stroke(frame: &Frame, resolution: Resolution) -> Stroke {
    match resolution {
        Resolution::Yes => Stroke::new(frame.theme.series(0), 2.0),
        Resolution::No => Stroke::new(frame.theme.axis, 1.25).with_dash(DASH),
        Resolution::Unknown => Stroke::new(frame.theme.secondary, 1.75),
    }
}

/// From the minimum to the pass, and around the corner into the parent.
fn branch(
    frame: &mut Frame,
    plane: &Plane,
    tree: &Tree<'_>,
    drawn: &Drawn<'_>,
    x: f64,
    parent: Option<f64>,
) {
    let is_down = tree.is_downward();
    let Some(bottom) = plane.y(drawn.branch.birth) else {
        return;
    };
    let stroke = stroke(frame, tree.resolution(drawn.branch));
    let Some(top) = drawn.branch.death.and_then(|death| plane.y(death)) else {
        // It never ends.
        let (tip, arm) = if is_down {
            (plane.rect.bottom - 2.0, -7.0)
        } else {
            (plane.rect.top + 2.0, 7.0)
        };
        frame.canvas.line(&[[x, bottom], [x, tip]], stroke);
        let head = Stroke::new(stroke.color, stroke.width);
        frame.canvas.line(
            &[[x - 4.5, tip + arm], [x, tip], [x + 4.5, tip + arm]],
            head,
        );
        return;
    };
    let Some(parent) = parent else {
        frame.canvas.line(&[[x, bottom], [x, top]], stroke);
        return;
    };
    let side = (parent - x).signum();
    let rise = (top - bottom).signum();
    let radius = 9.0_f64
        .min(0.5 * (parent - x).abs())
        .min(0.8 * (top - bottom).abs());
    let mut points: Vec<Point> = vec![[x, bottom]];
    for step in 0..=8 {
        let angle = f64::from(step) / 8.0 * std::f64::consts::FRAC_PI_2;
        points.push([
            x + side * radius * (1.0 - angle.cos()),
            top - rise * radius * (1.0 - angle.sin()),
        ]);
    }
    points.push([parent, top]);
    frame.canvas.line(&points, stroke);
    frame
        .canvas
        .dot([parent, top], 2.0, Some(stroke.color), None);
}

fn minimum(frame: &mut Frame, plane: &Plane, tree: &Tree<'_>, drawn: &Drawn<'_>, x: f64) {
    let Some(y) = plane.y(drawn.branch.birth) else {
        return;
    };
    let stroke = stroke(frame, tree.resolution(drawn.branch));
    if drawn.branch.is_resolved == Some(false) {
        let outline = Stroke::new(stroke.color, 1.5);
        frame
            .canvas
            .dot([x, y], 4.0, Some(frame.theme.ground), Some(outline));
    } else {
        frame.canvas.dot([x, y], 4.5, Some(stroke.color), None);
    }
}

/// Labels behind the minima, the longest-lived first, where there is room.
fn names(
    frame: &mut Frame,
    plane: &Plane,
    tree: &Tree<'_>,
    order: &[usize],
    places: &[f64],
    is_down: bool,
) {
    let size = f64::from(TICK);
    let mut sorted = order.to_vec();
    let persistence = |index: &usize| super::tree_layout::persistence(tree.branches[*index].branch);
    sorted.sort_by(|a, b| persistence(b).total_cmp(&persistence(a)));
    let mut taken: Vec<Rect> = vec![];
    for index in sorted {
        let branch = tree.branches[index].branch;
        let Some(y) = plane.y(branch.birth) else {
            continue;
        };
        let label = if text::clean(&branch.label).is_empty() {
            short(branch.birth)
        } else {
            text::fit(&branch.label, size, false, 90.0)
        };
        let half = 0.5 * text::width(&label, size, false);
        let x = places[index].clamp(
            plane.rect.left + half,
            frame.room.right.max(plane.rect.left + half) - half,
        );
        // Other branches stand in the way only where they are as low.
        let baseline = if is_down {
            y - 8.0
        } else {
            y + 8.0 + 0.75 * size
        };
        let rect = Rect::new(
            x - half,
            baseline - 0.8 * size,
            x + half,
            baseline + 0.2 * size,
        );
        let meets_branch =
            places
                .iter()
                .zip(&tree.branches)
                .enumerate()
                .any(|(other, (at, drawn))| {
                    let ends = [Some(drawn.branch.birth), drawn.branch.death]
                        .map(|end| end.and_then(|end| plane.y(end)));
                    let from = ends[0].unwrap_or(plane.rect.bottom);
                    let to = ends[1].unwrap_or(plane.rect.top);
                    let line =
                        Rect::new(at - 2.0, from.min(to) - 4.0, at + 2.0, from.max(to) + 4.0);
                    other != index && line.meets(&rect)
                });
        if !meets_branch && taken.iter().all(|other| !other.meets(&rect.grown(1.5))) {
            frame
                .canvas
                .text([x, baseline], &label, TICK, Anchor::Middle, frame.theme.ink);
            taken.push(rect);
        }
    }
}

fn legend(frame: &mut Frame, tree: &Tree<'_>) {
    let entries: Vec<_> = tree
        .resolutions()
        .into_iter()
        .map(|(resolution, count)| {
            let symbol = Symbol::Line(stroke(frame, resolution), None);
            (symbol, resolution.name(count))
        })
        .collect();
    frame.legend(&entries);
}
