use std::io;

use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::LandscapeError;
use super::slicer::{Slicer, check_direction};
use crate::loss::Risk;
use crate::space::{Grid, ParamVector, Wide, epsilon};
use crate::writing::{Csv, FormatError, csv, number};

/// A slice over a plane: `L(w + x d_x + y d_y)` for every `x` of the first grid and `y` of the second,
/// row by row.
///
/// Point (0, 0) is the model itself, to the last bit, and the points on the axes are those of
/// [`Slice1dConfig`](super::Slice1dConfig). The model, including its running statistics, does not change.
///
/// # Cost
///
/// One pass over the data for every point of the grid, and one for the model if (0, 0) is not on
/// it; no gradients. Memory: the model and three vectors of parameters.
///
/// # References
///
/// Goodfellow, Vinyals, Saxe 2015, *Qualitatively Characterizing Neural Network Optimization
/// Problems*, arXiv:1412.6544; Li et al. 2018, arXiv:1712.09913.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::landscape::Slice2dConfig;
/// use burnscape::loss::Risk;
/// use burnscape::space::{Grid, ParamVector};
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let loss = |model: &Linear, x: Tensor<2>| model.forward(x).sum();
/// let data = [Tensor::<2>::from_floats([[3.0, 4.0]], &device)];
/// let risk = Risk::new(&loss, &data);
/// let space = risk.space(&model)?;
/// let x = ParamVector::from_host(&space, &[1.0, 0.0])?;
/// let y = ParamVector::from_host(&space, &[0.0, 1.0])?;
/// let grid = Grid::linspace(0.0, 1.0, 2)?;
/// let slice = Slice2dConfig::new(grid.clone(), grid).run(&risk, &model, [&x, &y])?;
/// let rise = slice.loss(1, 1).unwrap_or(f64::NAN) - slice.base_loss;
/// assert!((rise - 7.0).abs() < 1e-5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Slice2dConfig {
    x: Grid,
    y: Grid,
    orthogonalized: bool,
}

impl Slice2dConfig {
    /// A slice at the coordinates `x` along the first direction and `y` along the second.
    pub fn new(x: Grid, y: Grid) -> Self {
        Self {
            x,
            y,
            orthogonalized: false,
        }
    }

    /// Whether the second direction is made orthogonal to the first, with its length kept. Lengths and angles of the
    /// picture are then those of parameter space (for directions of equal length), but a filter-normalized direction
    /// stays so only approximately.
    ///
    /// By default both directions are used as given, as by Li et al. 2018. Their angle distorts the picture; the slice
    /// reports its cosine, which is about `1/√n` for random directions.
    #[must_use]
    pub fn with_orthogonalized(mut self, orthogonalized: bool) -> Self {
        self.orthogonalized = orthogonalized;
        self
    }

    /// Evaluates the loss over the plane that the directions span.
    ///
    /// # Errors
    ///
    /// [`LandscapeError::NoDirection`] for a direction of norm zero, [`LandscapeError::Parallel`] for
    /// directions that cannot be made orthogonal; [`LandscapeError::Loss`] and [`LandscapeError::Space`] from the
    /// risk, at the model also for a loss that is not finite.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        directions: [&ParamVector; 2],
    ) -> Result<Slice2d, LandscapeError> {
        let [first, second] = directions;
        let norms = [check_direction(first, 0)?, check_direction(second, 1)?];
        let size = Wide::from(norms[0]) * Wide::from(norms[1]);
        let cosine = (first.wide_dot(second)? / size).value();
        let second = if self.orthogonalized {
            &orthogonal(first, second, norms[1], cosine)?
        } else {
            second
        };
        let (x, y) = (self.x.coordinates(), self.y.coordinates());
        let mut slicer = Slicer::new(risk, model, x.len() * y.len())?;
        'rows: for &y in y {
            for &x in x {
                let moved = displaced(model, first, second, x, y)?;
                if slicer.point(moved)?.is_break() {
                    break 'rows;
                }
            }
        }
        Ok(Slice2d {
            x: x.to_vec(),
            y: y.to_vec(),
            base_loss: slicer.base_loss,
            direction_norms: norms,
            cosine,
            orthogonalized: self.orthogonalized,
            num_losses: slicer.num_losses,
            completed: slicer.completed(),
            losses: slicer.losses,
        })
    }
}

/// The loss over a plane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Slice2d {
    /// Coordinates along the first direction.
    pub x: Vec<f64>,
    /// Coordinates along the second direction.
    pub y: Vec<f64>,
    /// `L(w + x_i d_x + y_j d_y)` at index `j · x.len() + i`, in rows of equal `y`, as in an image.
    /// NaN or infinite where the loss is. Shorter than the grid if the observer stopped the slice.
    #[serde(with = "number")]
    pub losses: Vec<f64>,
    /// The loss `L(w)` of the model.
    pub base_loss: f64,
    /// Euclidean lengths of the directions.
    pub direction_norms: [f64; 2],
    /// Cosine of the angle between the given directions.
    pub cosine: f64,
    /// Whether the second direction was made orthogonal to the first.
    pub orthogonalized: bool,
    /// Passes over the data.
    pub num_losses: usize,
    /// False if the observer stopped the slice.
    pub completed: bool,
}

impl Slice2d {
    /// The loss at the `i`-th coordinate of the first and the `j`-th of the second direction; none
    /// off the grid, and where a stopped slice has no loss.
    pub fn loss(&self, i: usize, j: usize) -> Option<f64> {
        if i >= self.x.len() {
            return None;
        }
        self.losses.get(j * self.x.len() + i).copied()
    }
}

impl Csv for Slice2d {
    /// The columns `x,y,loss`, one line for each evaluated point.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let rows = self.y.iter();
        let grid = rows.flat_map(|&y| self.x.iter().map(move |&x| (x, y)));
        let points = grid.zip(&self.losses);
        let rows = points.map(|((x, y), &loss)| [x, y, loss].map(|value| value.to_string()));
        Ok(csv(["x", "y", "loss"], rows, writer)?)
    }
}

/// The model at `w + x · first + y · second`; none for the model itself. Points on an axis move along that axis only,
/// as in a one-dimensional slice.
fn displaced<M: Module>(
    model: &M,
    first: &ParamVector,
    second: &ParamVector,
    x: f64,
    y: f64,
) -> Result<Option<M>, LandscapeError> {
    let moved = match (x == 0.0, y == 0.0) {
        (true, true) => return Ok(None),
        (false, true) => first.perturb(model, x)?,
        (true, false) => second.perturb(model, y)?,
        (false, false) => first
            .clone()
            .scale(x)
            .axpy(y, second)?
            .perturb(model, 1.0)?,
    };
    Ok(Some(moved))
}

/// The part of `second` that is orthogonal to `first`, as long as `second`.
fn orthogonal(
    first: &ParamVector,
    second: &ParamVector,
    norm: f64,
    cosine: f64,
) -> Result<ParamVector, LandscapeError> {
    let rest = second.clone().orthogonalize(std::slice::from_ref(first))?;
    let left = rest.norm()?;
    // Below this the rest is rounding.
    let rounding = 100.0 * epsilon(rest.values().dtype());
    if left <= rounding * norm {
        return Err(LandscapeError::Parallel { cosine });
    }
    Ok(rest.scale(norm / left))
}
