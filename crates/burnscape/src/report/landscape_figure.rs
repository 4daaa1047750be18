use burnscape_plot::LandscapeFigure;

use super::view::View;
use crate::landscape::{Landscape, LandscapeError, LossScale};

/// A landscape over two directions as a figure, with its wells.
///
/// | of the landscape | in the figure |
/// |---|---|
/// | coordinates | percent of the norm of the weights, `100 x \|d\| / \|w\|`; as they are if that norm is zero |
/// | losses | values, on a logarithmic scale with [`LossScale::Log10`] unless no loss is positive |
/// | metrics | metrics |
/// | [merge tree](Landscape::merge_tree) | branches and basins; none if a loss has no logarithm |
///
/// A landscape that was stopped is its finest complete grid, [`Landscape::coarser`]. Points that are NaN are walls
/// between wells. A well counts as resolved if its word is
/// [`Resolved`](burnscape_topology::Resolution::Resolved), and its depth more than the
/// [rounding](Landscape::rounding) of its losses.
///
/// There is no trajectory in the figure; [`ReportBuilder::with_projection`](super::ReportBuilder::with_projection)
/// draws one.
///
/// # Cost
///
/// That of the merge tree; no loss is evaluated.
///
/// # Errors
///
/// [`LandscapeError::OutOfRange`] unless the landscape has two axes, [`LandscapeError::Stopped`] for one that was
/// stopped before its corners were evaluated.
///
/// # Example
///
/// ```
/// use burn::nn::{Initializer, Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::landscape::{Direction, LandscapeConfig, LossScale};
/// use burnscape::plot::{Drawing, Figure};
/// use burnscape::prelude::*;
/// use burnscape::report::landscape_figure;
/// use burnscape::space::{DirectionNorm, Grid, UnfilteredRule};
///
/// let config = LinearConfig::new(3, 1).with_bias(false);
/// let config = config.with_initializer(Initializer::Constant { value: 0.5 });
/// let model = config.init(&Device::default());
/// let loss = |model: &Linear, x: Tensor<2>| (model.forward(x) - 1.0).square().mean();
/// let data = [Tensor::<2>::eye(3, &Device::default())];
/// let risk = Risk::new(&loss, &data);
///
/// let norm = DirectionNorm::Layer(UnfilteredRule::Zero);
/// let space = risk.space(&model)?;
/// let direction = |seed| Direction::random(&space, &model, norm, seed);
/// let directions = [direction(1)?, direction(2)?];
/// let axis = Grid::symmetric(2.0, 11)?;
/// let landscape = LandscapeConfig::new([axis.clone(), axis]).run(&risk, &model, &directions)?;
/// let figure = landscape_figure("fit", &landscape, LossScale::Linear)?;
/// // The directions are as long as the weights.
/// assert!((figure.x[10] - 200.0).abs() < 1e-3);
/// assert_eq!(figure.labels[0], "random direction 1 (% of the weights' norm)");
/// let svg = Figure::Contour(figure).to_svg(&Drawing::new(600, 480))?;
/// assert!(svg.starts_with("<svg"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn landscape_figure(
    name: &str,
    landscape: &Landscape,
    scale: LossScale,
) -> Result<LandscapeFigure, LandscapeError> {
    Ok(View::new(name, landscape, scale)?.figure)
}
