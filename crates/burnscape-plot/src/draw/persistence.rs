//! A persistence diagram: every branch a point, the longer it lasts the farther from the diagonal.

use crate::draw::canvas::{Anchor, Stroke};
use crate::draw::frame::{Frame, TICK};
use crate::draw::geometry::{Point, Rect};
use crate::draw::labels::Labels;
use crate::draw::legend::Symbol;
use crate::draw::plane::{Above, Grid, Margins, Plane, ScaledAxis};
use crate::draw::scale::Scale;
use crate::draw::text;
use crate::draw::theme::{Color, Theme, mixed};
use crate::draw::tree_layout::{Resolution, Tree, persistence};
use crate::{AxisScale, PlotError, TreeBranch};

const KIND: &str = "persistence diagram";
/// The height of the row for branches that never die.
const NEVER: f64 = 26.0;
const MOST_POINTS: usize = 20_000;
const MOST_LABELS: usize = 8;

pub(super) fn draw(frame: &mut Frame, branches: &[TreeBranch]) -> Result<(), PlotError> {
    let tree = Tree::of(branches, KIND, MOST_POINTS)?;
    let values = tree
        .branches
        .iter()
        .flat_map(|drawn| [Some(drawn.branch.birth), drawn.branch.death]);
    let scale = Scale::of(AxisScale::Linear, values.flatten());
    let scale = scale
        .ok_or(PlotError::NothingFinite { figure: KIND })?
        .padded(0.05, 0.06);
    frame.note(&tree.notes());
    legend(frame, &tree);
    let has_never = tree
        .branches
        .iter()
        .any(|drawn| drawn.branch.death.is_none());
    let axis = |label: &str| ScaledAxis {
        label: label.to_owned(),
        scale: scale.clone(),
    };
    let (x, y) = (
        axis("birth: value of the minimum"),
        axis("death: value of the pass"),
    );
    let row = if has_never { NEVER } else { 0.0 };
    let margins = Margins::of(&x, &y, frame.room.height() - 50.0);
    let room = frame.room;
    let size = f64::from(TICK);
    let never = if has_never {
        text::width("never", size, false) + 12.0
    } else {
        0.0
    };
    let before = margins.left.max(never);
    let most = room.width() - before - 20.0;
    let side = most.min(room.height() - margins.top - margins.bottom - row);
    let width = (1.5 * side).min(most);
    let left = room.left + before + 0.5 * (most - width);
    let bottom = room.bottom - margins.bottom;
    let rect = Rect::new(left, bottom - side, left + width, bottom);
    let top = rect.top;
    let above = Above {
        width: room.width(),
        lift: row,
    };
    let plane = frame.axes_around(rect, x, y, Grid::None, above)?;
    diagonal(frame, &plane, tree.is_downward());
    if has_never {
        let rect = Rect::new(rect.left, top - row, rect.right, top);
        frame
            .canvas
            .tile(rect, mixed(frame.theme.axis, frame.theme.ground, 0.12));
        let at = [
            rect.left - 7.0,
            0.5 * (rect.top + rect.bottom) + 0.36 * size,
        ];
        frame
            .canvas
            .text(at, "never", TICK, Anchor::End, frame.theme.secondary);
    }
    points(frame, &plane, &tree, top - 0.5 * row);
    Ok(())
}

/// Points on the diagonal would die at birth; nothing is beyond it.
fn diagonal(frame: &mut Frame, plane: &Plane, is_down: bool) {
    let rect = plane.rect;
    let corner = if is_down {
        [rect.left, rect.top]
    } else {
        [rect.right, rect.bottom]
    };
    let fill = mixed(frame.theme.grid, frame.theme.ground, 0.6);
    frame.canvas.area(
        &[[rect.left, rect.bottom], [rect.right, rect.top], corner],
        fill,
    );
    let stroke = Stroke::new(frame.theme.axis, 1.0);
    frame
        .canvas
        .line(&[[rect.left, rect.bottom], [rect.right, rect.top]], stroke);
}

fn points(frame: &mut Frame, plane: &Plane, tree: &Tree<'_>, never: f64) {
    let color = frame.theme.series(0);
    let mut labels = Labels::default();
    let mut placed: Vec<(&TreeBranch, Point)> = tree
        .branches
        .iter()
        .filter_map(|drawn| {
            let y = match drawn.branch.death {
                Some(death) => plane.y(death)?,
                None => never,
            };
            Some((drawn.branch, [plane.x(drawn.branch.birth)?, y]))
        })
        .collect();
    // Short-lived ones first, so that none covers a longer-lived one.
    placed.sort_by(|a, b| persistence(a.0).total_cmp(&persistence(b.0)));
    for (branch, [x, y]) in &placed {
        if let (Some(death), Some(foot)) = (branch.death, plane.y(branch.birth))
            && branch.is_resolved != Some(false)
            && death != branch.birth
        {
            let stroke = Stroke::new(mixed(color, frame.theme.ground, 0.35), 1.0);
            frame.canvas.line(&[[*x, foot], [*x, *y]], stroke);
        }
    }
    for (branch, point) in &placed {
        let (radius, fill, outline) = dot(frame.theme, tree.resolution(branch));
        frame.canvas.dot(*point, radius, fill, Some(outline));
        labels.take_dot(*point, 5.0);
    }
    let within = Rect::new(
        plane.rect.left,
        never.min(plane.rect.top) - 12.0,
        plane.rect.right,
        plane.rect.bottom,
    );
    let named = placed
        .iter()
        .rev()
        .filter(|(branch, _)| branch.is_resolved != Some(false));
    for (branch, point) in named.take(MOST_LABELS) {
        let label = text::fit(&branch.label, f64::from(TICK), false, 120.0);
        if label.is_empty() {
            continue;
        }
        if let Some((at, anchor)) = labels.find(&label, *point, 8.0, within) {
            match branch.death {
                Some(_) => frame.plate(at, &label, anchor, frame.theme.ink),
                None => frame.canvas.text(at, &label, TICK, anchor, frame.theme.ink),
            }
        }
    }
}

fn legend(frame: &mut Frame, tree: &Tree<'_>) {
    let entries: Vec<_> = tree
        .resolutions()
        .into_iter()
        .map(|(resolution, count)| {
            let (radius, fill, outline) = dot(frame.theme, resolution);
            let symbol = Symbol::Dot {
                radius,
                fill,
                outline: Some(outline),
            };
            (symbol, resolution.name(count))
        })
        .collect();
    frame.legend(&entries);
}

/// The radius, the color inside, and the line around a point.
fn dot(theme: &Theme, resolution: Resolution) -> (f64, Option<Color>, Stroke) {
    match resolution {
        Resolution::Yes => (5.0, Some(theme.series(0)), Stroke::new(theme.ground, 1.0)),
        Resolution::No => (4.0, Some(theme.ground), Stroke::new(theme.axis, 1.5)),
        Resolution::Unknown => (4.0, Some(theme.secondary), Stroke::new(theme.ground, 1.0)),
    }
}
