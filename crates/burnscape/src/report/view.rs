//! A landscape as a view of the page.

use burnscape_plot::{AxisScale, LandscapeFigure, TrajectoryMark, TreeBranch};
use burnscape_topology::{MergeTreeConfig, NanPolicy};

use super::tree_branches;
use super::words::short;
use crate::OutOfRange;
use crate::landscape::{DirectionKind, Landscape, LandscapeError, LossScale};
use crate::trajectory::Projection;

/// A landscape of a page: its figure, and the numbers that sentences are made from.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) figure: LandscapeFigure,
    /// The finest grid that is complete.
    pub(super) landscape: Landscape,
    /// The points that were evaluated and all of them, if the evaluation was stopped.
    pub(super) stopped: Option<[usize; 2]>,
    /// The resolution ratio of each branch of the figure.
    pub(super) ratios: Vec<f64>,
    /// The training run on the figure.
    pub(super) projection: Option<Projection>,
    /// Whether the figure's coordinates are percent of the weights' norm.
    pub(super) is_percent: bool,
    /// What a coordinate of the landscape is multiplied with, for each axis.
    units: [f64; 2],
}

impl View {
    /// See [`landscape_figure`](super::landscape_figure).
    pub(super) fn new(
        name: &str,
        landscape: &Landscape,
        scale: LossScale,
    ) -> Result<Self, LandscapeError> {
        let axes = landscape.axes.len();
        if axes != 2 {
            let expected = "2: a picture has two directions, and a table any number";
            return Err(OutOfRange::new("landscape.axes.len()", axes as f64, expected).into());
        }
        let evaluated = landscape.evaluated.iter().filter(|done| **done).count();
        let points = landscape.num_points();
        let whole = landscape.coarser()?;
        let percents = percents(&whole);
        let units = percents.unwrap_or([1.0; 2]);
        let along = |axis: usize| -> Vec<f64> {
            let coordinates = whole.axes.get(axis).into_iter().flatten();
            coordinates.map(|x| x * units[axis]).collect()
        };
        let label = |axis: usize| axis_label(&whole, axis, percents.is_some());
        let metrics = whole.metrics.iter();
        let metrics = metrics.map(|metric| (metric.name.clone(), metric.values.clone()));
        // What is not a number is a wall, as in the page, where no water flows through it.
        let config = MergeTreeConfig::new().with_nan(NanPolicy::Wall);
        // Without a tree there are no wells to tell of, and still a picture.
        let tree = whole.merge_tree(scale, &config).ok();
        let mut branches = tree.as_ref().map(tree_branches).unwrap_or_default();
        for branch in &mut branches {
            for (x, unit) in branch.at.iter_mut().zip(units) {
                *x *= unit;
            }
            if is_rounding(branch, scale, &whole) {
                branch.is_resolved = Some(false);
            }
        }
        let basins = match &tree {
            Some(tree) if !branches.is_empty() => {
                let labels = tree.tree.basins().labels.into_iter();
                labels.map(|label| label.unwrap_or(u32::MAX)).collect()
            }
            _ => Vec::new(),
        };
        let figure = LandscapeFigure {
            name: name.to_owned(),
            x: along(0),
            y: along(1),
            values: whole.losses.clone(),
            scale: axis_scale(&whole, scale),
            labels: [label(0), label(1), "loss".to_owned()],
            metrics: metrics.collect(),
            trajectory: Vec::new(),
            branches,
            basins,
        };
        Ok(Self {
            figure,
            stopped: (evaluated < points).then_some([evaluated, points]),
            ratios: tree.map(|tree| tree.ratios).unwrap_or_default(),
            projection: None,
            is_percent: percents.is_some(),
            units,
            landscape: whole,
        })
    }

    /// Whether there is anything to draw.
    pub(super) fn has_value(&self) -> bool {
        self.figure.values.iter().any(|value| value.is_finite())
    }

    /// Whether the training run on the figure ends at the origin of the plane.
    pub(super) fn ends_at_origin(&self) -> bool {
        let projection = self.projection.as_ref().filter(|it| it.completed);
        let last = projection.and_then(|it| it.points.last());
        last.is_some_and(|point| (point.x, point.y, point.distance) == (0.0, 0.0, 0.0))
    }

    /// Whether the lowest point of the grid is at its border, and none in its inside or at the network is as low.
    pub(super) fn is_lowest_at_border(&self) -> bool {
        let figure = &self.figure;
        let (columns, rows) = (figure.x.len(), figure.y.len());
        let values = figure.values.iter().copied();
        let lowest = values.clone().fold(f64::INFINITY, f64::min);
        let mut lowest_cells = values.enumerate().filter(|(_, value)| *value <= lowest);
        let is_outside = |(cell, _): (usize, f64)| {
            let (i, j) = (cell / rows, cell % rows);
            let is_border = i == 0 || j == 0 || i + 1 == columns || j + 1 == rows;
            is_border && (figure.x[i], figure.y[j]) != (0.0, 0.0)
        };
        lowest.is_finite() && lowest_cells.all(is_outside)
    }

    /// Draws a training run on the figure, in place of an earlier one.
    pub(super) fn mark(&mut self, projection: Projection) {
        let [x, y] = self.units;
        let marks = projection.points.iter().map(|point| TrajectoryMark {
            step: point.step,
            x: point.x * x,
            y: point.y * y,
            loss: point.loss,
            plane_loss: point.plane_loss,
            off_plane_share: point.off_plane_share,
        });
        self.figure.trajectory = marks.collect();
        self.projection = Some(projection);
    }
}

/// What turns coordinates into percent of the weights' norm; none if that norm is zero, or not known.
fn percents(landscape: &Landscape) -> Option<[f64; 2]> {
    let percent = |axis: usize| {
        let unit = 100.0 * landscape.directions.get(axis)?.relative_norm;
        (unit > 0.0 && unit.is_finite()).then_some(unit)
    };
    Some([percent(0)?, percent(1)?])
}

/// Logarithmic if asked for, and if anything has a logarithm.
fn axis_scale(landscape: &Landscape, scale: LossScale) -> AxisScale {
    let mut losses = landscape.losses.iter();
    let has_logarithm = losses.any(|loss| *loss > 0.0 && loss.is_finite());
    match scale {
        LossScale::Log10 if has_logarithm => AxisScale::Log,
        _ => AxisScale::Linear,
    }
}

fn axis_label(landscape: &Landscape, axis: usize, is_percent: bool) -> String {
    let kind = landscape.directions.get(axis).map(|record| &record.kind);
    let name = kind.map_or_else(String::new, |kind| axis_name(kind, axis + 1));
    let unit = if is_percent {
        "% of the weights' norm"
    } else {
        "times the direction"
    };
    format!("{name} ({unit})")
}

/// The direction of an axis in a few words.
fn axis_name(kind: &DirectionKind, number: usize) -> String {
    match kind {
        DirectionKind::Random { .. } => format!("random direction {number}"),
        DirectionKind::Eigenvector { eigenvalue } => {
            format!("eigenvector of eigenvalue {}", short(*eigenvalue, 3))
        }
        DirectionKind::PrincipalComponent { index, .. } => {
            let number = index.saturating_add(1);
            format!("component {number}")
        }
        DirectionKind::Orthogonalized(kind) => axis_name(kind, number),
        other => format!("direction {number}, {other}"),
    }
}

/// Whether a well is no deeper than rounding makes one, which is in proportion to the loss.
fn is_rounding(branch: &TreeBranch, scale: LossScale, landscape: &Landscape) -> bool {
    let loss = |height: f64| match scale {
        LossScale::Linear => height,
        LossScale::Log10 => 10_f64.powf(height),
    };
    let Some(death) = branch.death else {
        return false;
    };
    let (low, high) = (loss(branch.birth), loss(death));
    let relative = landscape.rounding / landscape.base_loss.abs();
    let rounding = if relative.is_finite() {
        relative * high.abs().max(low.abs())
    } else {
        landscape.rounding
    };
    high - low <= rounding
}
