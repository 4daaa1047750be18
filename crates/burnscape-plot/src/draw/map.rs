//! What contour maps and heat maps share: the box with its color bar, the run, the minima and the basins.

use crate::draw::canvas::Stroke;
use crate::draw::color_bar::{Colors, bar_width};
use crate::draw::field::{Cell, Field, edges};
use crate::draw::frame::{Frame, LABEL, TICK};
use crate::draw::geometry::{Point, Rect};
use crate::draw::labels::Labels;
use crate::draw::legend::Symbol;
use crate::draw::marker::{MapMark, WHITE, draw_map_mark, draw_run};
use crate::draw::plane::{Above, Grid, Margins, Plane, ScaledAxis};
use crate::draw::scale::Scale;
use crate::draw::theme::{Color, value_color};
use crate::draw::{number_text, text};
use crate::{AxisScale, LandscapeFigure, PlotError, TrajectoryMark, TreeBranch};

/// Dots closer than this hide each other.
const DISTANCE: f64 = 11.0;
/// The radius of the mark of a minimum.
const MINIMUM: f64 = 4.5;

/// The axes of a map and its color bar. The units are equally long on both axes unless one side would be a strip.
pub(super) fn lay_out(
    frame: &mut Frame,
    figure: &LandscapeFigure,
    field: &Field<'_>,
    ends: [[f64; 2]; 2],
    colors: &Colors,
) -> Result<Plane, PlotError> {
    frame.note(&field.notes("hatched", "gray"));
    let entries = [
        run_legend(figure),
        minima_legend(figure),
        field.legend(frame.theme),
    ];
    frame.legend(&entries.concat());
    let [x_label, y_label, value_label] = figure.labels.clone();
    let scaled = |label: String, ends: [f64; 2]| {
        let nothing = PlotError::NothingFinite {
            figure: "landscape",
        };
        let scale = Scale::of(AxisScale::Linear, ends).ok_or(nothing)?;
        Ok(ScaledAxis { label, scale })
    };
    let (x, y) = (scaled(x_label, ends[0])?, scaled(y_label, ends[1])?);
    let values = ScaledAxis {
        label: value_label,
        scale: field.scale.clone(),
    };
    let room = frame.room;
    let margins = Margins::of(&x, &y, room.height() - 50.0);
    let bar = bar_width(&values, room.height() - 50.0);
    let mut width = room.width() - margins.left - bar;
    let mut height = room.height() - margins.top.max(20.0) - margins.bottom;
    let ratio = x.scale.span() / y.scale.span();
    if (0.4..=2.5).contains(&ratio) {
        width = width.min(height * ratio);
        height = width / ratio;
    }
    let left =
        room.left + margins.left + 0.5 * (room.width() - margins.left - bar - width).max(0.0);
    let top = room.top + margins.top.max(20.0);
    let rect = Rect::new(left, top, left + width, top + height);
    let rect = Rect::new(
        rect.left.round(),
        rect.top.round(),
        rect.right.round(),
        rect.bottom.round(),
    );
    // The name of the color bar stands on the same line.
    let of_bar = values.text(0.45 * room.width());
    let of_bar = text::width(&of_bar, f64::from(LABEL), false);
    let above = Above {
        width: room.width() - of_bar - 16.0,
        lift: 0.0,
    };
    let plane = frame.axes_around(rect, x, y, Grid::None, above)?;
    frame.color_bar(rect, &values, colors);
    Ok(plane)
}

/// Everything that lies on the colors.
pub(super) fn overlay(
    frame: &mut Frame,
    plane: &Plane,
    figure: &LandscapeFigure,
    field: &Field<'_>,
    colors: &Colors,
) {
    borders(frame, plane, figure);
    let mut labels = Labels::default();
    run(frame, plane, figure, field, colors, &mut labels);
    minima(frame, plane, figure, &mut labels);
}

/// Lines between basins.
fn borders(frame: &mut Frame, plane: &Plane, figure: &LandscapeFigure) {
    if figure.basins.is_empty() {
        return;
    }
    let rows = figure.y.len();
    let (x, y) = (edges(&figure.x), edges(&figure.y));
    let basin = |i: usize, j: usize| figure.basins[i * rows + j];
    let mut segments: Vec<[[f64; 2]; 2]> = vec![];
    for (i, &x) in x.iter().enumerate().take(figure.x.len()).skip(1) {
        runs(
            rows,
            |j| basin(i - 1, j) != basin(i, j),
            |start, end| segments.push([[x, y[start]], [x, y[end]]]),
        );
    }
    for (j, &y) in y.iter().enumerate().take(rows).skip(1) {
        runs(
            figure.x.len(),
            |i| basin(i, j - 1) != basin(i, j),
            |start, end| segments.push([[x[start], y], [x[end], y]]),
        );
    }
    for [from, to] in segments {
        let ends = (plane.point(from[0], from[1]), plane.point(to[0], to[1]));
        let (Some(from), Some(to)) = ends else {
            continue;
        };
        for part in plane.rect.clip_line(&[from, to]) {
            frame.canvas.line(&part, Stroke::new(WHITE, 1.0));
        }
    }
}

/// Calls `found` with the ends of every run of indices for which `is` holds.
fn runs(count: usize, is: impl Fn(usize) -> bool, mut found: impl FnMut(usize, usize)) {
    let mut start = None;
    for index in 0..=count {
        let holds = index < count && is(index);
        match (start, holds) {
            (None, true) => start = Some(index),
            (Some(from), false) => {
                found(from, index);
                start = None;
            }
            _ => {}
        }
    }
}

/// Indices of the marks that are drawn as dots: the ends, and those between that are at least `distance` apart, or more if
/// they are too many.
pub(super) fn dotted(points: &[Option<Point>], distance: f64) -> Vec<usize> {
    const MOST: usize = 40;
    let mut distance = distance;
    loop {
        let dots = apart(points, distance);
        if dots.len() <= MOST {
            return dots;
        }
        distance *= 1.3;
    }
}

fn apart(points: &[Option<Point>], distance: f64) -> Vec<usize> {
    let is_far = |a: Point, b: Point| (a[0] - b[0]).hypot(a[1] - b[1]) >= distance;
    let placed: Vec<(usize, Point)> = points
        .iter()
        .enumerate()
        .filter_map(|(index, point)| Some((index, (*point)?)))
        .collect();
    let [first, between @ .., last] = &placed[..] else {
        return placed.into_iter().map(|it| it.0).collect();
    };
    let mut kept = vec![*first];
    for dot in between {
        let is_apart = kept.last().is_none_or(|before| is_far(before.1, dot.1));
        if is_apart && is_far(dot.1, last.1) {
            kept.push(*dot);
        }
    }
    kept.push(*last);
    kept.into_iter().map(|it| it.0).collect()
}

pub(super) fn dot_radius(mark: &TrajectoryMark) -> f64 {
    let share = if mark.off_plane_share.is_finite() {
        mark.off_plane_share.clamp(0.0, 1.0)
    } else {
        1.0
    };
    3.0 + 4.0 * share
}

/// The color of the true loss, gray if it has none.
pub(super) fn loss_color(frame: &Frame, field: &Field<'_>, colors: &Colors, loss: f64) -> Color {
    match field.cell_of(loss) {
        Cell::Value(place) => colors.at(place.clamp(0.0, 1.0)),
        Cell::Nan | Cell::NoPlace => frame.theme.gray,
    }
}

fn run(
    frame: &mut Frame,
    plane: &Plane,
    figure: &LandscapeFigure,
    field: &Field<'_>,
    colors: &Colors,
    labels: &mut Labels,
) {
    let marks = &figure.trajectory;
    let points: Vec<Option<Point>> = marks
        .iter()
        .map(|mark| plane.point(mark.x, mark.y))
        .collect();
    for run in points.split(Option::is_none) {
        let run: Vec<Point> = run.iter().copied().flatten().collect();
        for part in plane.rect.clip_line(&run) {
            draw_run(&mut frame.canvas, &part);
        }
    }
    let shown: Vec<Option<Point>> = points
        .iter()
        .map(|point| point.filter(|point| plane.rect.contains(*point)))
        .collect();
    let dots = dotted(&shown, DISTANCE);
    for &index in &dots {
        if let Some(point) = shown[index] {
            let radius = dot_radius(&marks[index]);
            let color = loss_color(frame, field, colors, marks[index].loss);
            draw_map_mark(&mut frame.canvas, MapMark::Model(color), point, radius);
            labels.take_dot(point, radius + 2.0);
        }
    }
    let mut ends: Vec<usize> = dots
        .first()
        .into_iter()
        .chain(dots.last())
        .copied()
        .collect();
    ends.dedup();
    for index in ends {
        let Some(point) = shown[index] else {
            continue;
        };
        let label = format!("step {}", marks[index].step);
        let distance = dot_radius(&marks[index]) + 5.0;
        if let Some((at, anchor)) = labels.find(&label, point, distance, plane.rect) {
            frame.plate(at, &label, anchor, frame.theme.ink);
        }
    }
}

fn minima(frame: &mut Frame, plane: &Plane, figure: &LandscapeFigure, labels: &mut Labels) {
    let size = f64::from(TICK);
    let placed: Vec<(&TreeBranch, Point)> = figure
        .branches
        .iter()
        .filter_map(|branch| {
            let [x, y] = branch.at[..] else {
                return None;
            };
            let point = plane.point(x, y)?;
            plane.rect.contains(point).then_some((branch, point))
        })
        .collect();
    for (branch, point) in &placed {
        let mark = match Minimum::of(figure, branch) {
            Minimum::Unresolved | Minimum::AtEdge => MapMark::Unresolved,
            Minimum::Resolved => MapMark::Minimum,
        };
        draw_map_mark(&mut frame.canvas, mark, *point, MINIMUM);
        labels.take_dot(*point, 6.0);
    }
    for (branch, point) in &placed {
        let label = text::fit(&branch.label, size, false, 0.4 * plane.rect.width());
        if label.is_empty() {
            continue;
        }
        if let Some((at, anchor)) = labels.find(&label, *point, 8.0, plane.rect) {
            frame.plate(at, &label, anchor, frame.theme.ink);
        }
    }
}

fn run_legend(figure: &LandscapeFigure) -> Vec<(Symbol, String)> {
    if figure.trajectory.is_empty() {
        return vec![];
    }
    let dot = |share: f64| {
        let mark = TrajectoryMark {
            off_plane_share: share,
            ..TrajectoryMark::default()
        };
        Symbol::OnMap(MapMark::Model(value_color(0.1)), dot_radius(&mark))
    };
    let shares = figure.trajectory.iter().map(|mark| mark.off_plane_share);
    let most = shares
        .filter(|share| share.is_finite())
        .fold(0.0, f64::max)
        .clamp(0.0, 1.0);
    let mut entries = vec![(
        dot(0.0),
        "training run, filled with the color of its true loss".to_owned(),
    )];
    if most > 0.05 {
        let share = number_text::short((100.0 * most).round());
        entries.push((
            dot(most),
            format!("the larger, the farther off the plane (here {share} %)"),
        ));
    }
    entries
}

fn minima_legend(figure: &LandscapeFigure) -> Vec<(Symbol, String)> {
    let kinds = [
        (Minimum::Resolved, MapMark::Minimum, "minimum"),
        (
            Minimum::Unresolved,
            MapMark::Unresolved,
            "minimum that the grid does not resolve",
        ),
        (
            Minimum::AtEdge,
            MapMark::Unresolved,
            "lowest at the edge: the minimum may lie outside",
        ),
    ];
    let has = |kind| {
        let mut shown = figure.branches.iter().filter(|branch| branch.at.len() == 2);
        shown.any(|branch| Minimum::of(figure, branch) == kind)
    };
    let shown = kinds.into_iter().filter(|(kind, ..)| has(*kind));
    shown
        .map(|(_, mark, name)| (Symbol::OnMap(mark, MINIMUM), name.to_owned()))
        .collect()
}

/// How far a lowest point of the grid is a minimum of the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Minimum {
    Resolved,
    Unresolved,
    /// Beyond the edge of the window it may go on.
    AtEdge,
}

impl Minimum {
    fn of(figure: &LandscapeFigure, branch: &TreeBranch) -> Self {
        let is_end = |axis: &[f64], at: &f64| axis.first() == Some(at) || axis.last() == Some(at);
        let mut places = [&figure.x, &figure.y].into_iter().zip(&branch.at);
        if places.any(|(axis, at)| is_end(axis, at)) {
            Self::AtEdge
        } else if branch.is_resolved == Some(false) {
            Self::Unresolved
        } else {
            Self::Resolved
        }
    }
}
