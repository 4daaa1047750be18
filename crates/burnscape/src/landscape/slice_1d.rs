use std::io;

use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::slicer::{Slicer, check_direction};
use super::{LandscapeError, non_finite};
use crate::loss::Risk;
use crate::space::{Grid, ParamVector};
use crate::writing;

/// The loss along a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Slice1d {
    /// Coordinates, one for each loss.
    pub coordinates: Vec<f64>,
    /// `L(w + x d)` at each coordinate. NaN or infinite where the loss was; in JSON these are
    /// `null`.
    #[serde(with = "non_finite")]
    pub losses: Vec<f64>,
    /// The loss `L(w)` of the model as it is.
    pub base_loss: f64,
    /// Euclidean length of the direction.
    pub direction_norm: f64,
    /// Passes over the data.
    pub num_evaluations: usize,
    /// False if the observer stopped the slice: it then ends at the last point evaluated.
    pub completed: bool,
}

/// Evaluates the loss along a line through the model: `L(w + x d)` for every `x` of the grid.
///
/// Coordinate 0 is the model itself, to the last bit. The model, its running statistics included,
/// is not changed.
///
/// # Cost
///
/// One pass over the data for every coordinate, and one for the model if 0 is not on the grid; no
/// gradients. Besides the model, two vectors of parameters.
///
/// # Errors
///
/// [`LandscapeError::NoDirection`] for a direction of norm zero; [`LandscapeError::Loss`] and
/// [`LandscapeError::Space`] as the risk gives them, at the model also for a loss that is not
/// finite.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::landscape::slice_1d;
/// use burnscape::loss::Risk;
/// use burnscape::space::{Grid, ParamVector};
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 2).with_bias(false).init(&device);
/// let loss = |model: &Linear, x: Tensor<2>| model.forward(x).powi_scalar(2).sum();
/// let data = [Tensor::<2>::eye(2, &device)];
/// let risk = Risk::new(&loss, &data);
/// let direction = ParamVector::sphere(&risk.space(&model)?, 1)?;
/// let grid = Grid::symmetric(1.0, 3)?;
/// let slice = slice_1d(&risk, &model, &direction, &grid)?;
/// // Along a unit vector the second difference of |w|² is 2.
/// let second = slice.losses[0] - 2.0 * slice.losses[1] + slice.losses[2];
/// assert!((second - 2.0).abs() < 1e-5);
/// assert_eq!(slice.losses[1], slice.base_loss);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn slice_1d<M: Module, K>(
    risk: &Risk<'_, M, K>,
    model: &M,
    direction: &ParamVector,
    grid: &Grid,
) -> Result<Slice1d, LandscapeError> {
    let direction_norm = check_direction(direction, 0)?;
    let mut slicer = Slicer::new(risk, model, grid.len())?;
    for &x in grid.coordinates() {
        let moved = if x == 0.0 {
            None
        } else {
            Some(direction.displace(model, x)?)
        };
        if slicer.point(moved)?.is_break() {
            break;
        }
    }
    Ok(Slice1d {
        coordinates: grid.coordinates()[..slicer.losses.len()].to_vec(),
        base_loss: slicer.base_loss,
        direction_norm,
        num_evaluations: slicer.num_evaluations,
        completed: slicer.completed(),
        losses: slicer.losses,
    })
}

impl Slice1d {
    /// The slice as one JSON object, every number with all its digits. `serde_json` reads it back,
    /// to the last bit if its feature `float_roundtrip` is on.
    ///
    /// # Errors
    ///
    /// [`LandscapeError::Write`].
    pub fn to_json(&self) -> Result<String, LandscapeError> {
        Ok(writing::json_string(self)?)
    }

    /// Writes the slice as one JSON object and a line break.
    ///
    /// # Errors
    ///
    /// [`LandscapeError::Write`].
    pub fn write_json(&self, writer: impl io::Write) -> Result<(), LandscapeError> {
        Ok(writing::json(self, writer)?)
    }

    /// Writes the columns `x,loss`, one line a point.
    ///
    /// # Errors
    ///
    /// [`LandscapeError::Write`].
    pub fn write_csv(&self, writer: impl io::Write) -> Result<(), LandscapeError> {
        let points = self.coordinates.iter().zip(&self.losses);
        let rows = points.map(|(x, loss)| [x.to_string(), loss.to_string()]);
        Ok(writing::csv(["x", "loss"], rows, writer)?)
    }
}
