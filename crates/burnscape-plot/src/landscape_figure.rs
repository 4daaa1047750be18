use serde::{Deserialize, Serialize};

use crate::{AxisScale, TreeBranch, number};

/// Values on a grid in two directions, with what lies on it.
///
/// Cells that are NaN are hatched; those without a place on the scale (infinite, and not positive on a logarithmic
/// scale) are gray. The figure counts both.
///
/// # Example
///
/// ```
/// use burnscape_plot::{Drawing, Figure, LandscapeFigure};
///
/// let ticks: Vec<f64> = (-10..=10).map(|i| f64::from(i) / 10.0).collect();
/// let landscape = LandscapeFigure {
///     values: ticks.iter().flat_map(|x| ticks.iter().map(move |y| x * x + 3.0 * y * y)).collect(),
///     x: ticks.clone(),
///     y: ticks.clone(),
///     labels: ["direction 1", "direction 2", "loss"].map(String::from),
///     ..LandscapeFigure::default()
/// };
/// assert!(Figure::Contour(landscape).to_svg(&Drawing::new(600, 480))?.starts_with("<svg"));
/// # Ok::<(), burnscape_plot::PlotError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LandscapeFigure {
    /// A short name, which tells several landscapes apart.
    pub name: String,
    /// Coordinates along the first direction, increasing.
    #[serde(with = "number")]
    pub x: Vec<f64>,
    /// Coordinates along the second direction, increasing.
    #[serde(with = "number")]
    pub y: Vec<f64>,
    /// Values, the second direction fastest: that at `(x[i], y[j])` is `values[i * y.len() + j]`.
    #[serde(with = "number")]
    pub values: Vec<f64>,
    /// The scale of colors and heights.
    pub scale: AxisScale,
    /// What both directions and the values are.
    pub labels: [String; 3],
    /// Other values at the same points, by name. The page offers them; SVG and PNG show `values` only.
    #[serde(with = "number")]
    pub metrics: Vec<(String, Vec<f64>)>,
    /// A training run, projected onto the plane.
    pub trajectory: Vec<TrajectoryMark>,
    /// The merge tree of the landscape; the minima of its branches are marked.
    pub branches: Vec<TreeBranch>,
    /// The index in `branches` of the branch whose basin each cell belongs to; empty if there are none. Other numbers
    /// belong to no branch.
    pub basins: Vec<u32>,
}

/// A model of a training run on the plane of a landscape.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct TrajectoryMark {
    /// The training step.
    pub step: usize,
    /// Where the model is nearest to the plane, along the first direction.
    #[serde(with = "number")]
    pub x: f64,
    /// The same along the second direction.
    #[serde(with = "number")]
    pub y: f64,
    /// The loss of the model.
    #[serde(with = "number")]
    pub loss: f64,
    /// The loss of the plane there.
    #[serde(with = "number")]
    pub plane_loss: f64,
    /// How much of the model's displacement is off the plane, from 0 to 1.
    #[serde(with = "number")]
    pub off_plane_share: f64,
}
