use std::io;

use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::LandscapeError;
use super::slicer::{Slicer, check_direction};
use crate::loss::Risk;
use crate::space::{Grid, ParamVector};
use crate::writing::{Csv, FormatError, csv, number};

/// A slice along one direction: `L(w + x d)` for every `x` of the grid.
///
/// Coordinate 0 is the model itself, to the last bit. The model, including its running statistics, does not change.
///
/// # Cost
///
/// One pass over the data for every coordinate, and one for the model if 0 is not on the grid; no
/// gradients. Memory: the model and two vectors of parameters.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::landscape::Slice1dConfig;
/// use burnscape::loss::Risk;
/// use burnscape::space::{Grid, ParamVector};
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 2).with_bias(false).init(&device);
/// let loss = |model: &Linear, x: Tensor<2>| model.forward(x).powi_scalar(2).sum();
/// let data = [Tensor::<2>::eye(2, &device)];
/// let risk = Risk::new(&loss, &data);
/// let direction = ParamVector::sphere(&risk.space(&model)?, 1)?;
/// let slice = Slice1dConfig::new(Grid::symmetric(1.0, 3)?).run(&risk, &model, &direction)?;
/// // Along a unit vector the second difference of |w|² is 2.
/// let second = slice.losses[0] - 2.0 * slice.losses[1] + slice.losses[2];
/// assert!((second - 2.0).abs() < 1e-5);
/// assert_eq!(slice.losses[1], slice.base_loss);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Slice1dConfig {
    grid: Grid,
}

impl Slice1dConfig {
    /// A slice at the coordinates of `grid`.
    pub fn new(grid: Grid) -> Self {
        Self { grid }
    }

    /// Evaluates the loss along `direction`.
    ///
    /// # Errors
    ///
    /// [`LandscapeError::NoDirection`] for a direction of norm zero; [`LandscapeError::Loss`] and
    /// [`LandscapeError::Space`] from the risk, at the model also for a loss that is not finite.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        direction: &ParamVector,
    ) -> Result<Slice1d, LandscapeError> {
        let direction_norm = check_direction(direction, 0)?;
        let mut slicer = Slicer::new(risk, model, self.grid.len())?;
        for &x in self.grid.coordinates() {
            let moved = if x == 0.0 {
                None
            } else {
                Some(direction.perturb(model, x)?)
            };
            if slicer.point(moved)?.is_break() {
                break;
            }
        }
        Ok(Slice1d {
            coordinates: self.grid.coordinates()[..slicer.losses.len()].to_vec(),
            base_loss: slicer.base_loss,
            direction_norm,
            num_losses: slicer.num_losses,
            completed: slicer.completed(),
            losses: slicer.losses,
        })
    }
}

/// The loss along a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Slice1d {
    /// Coordinates, one for each loss.
    pub coordinates: Vec<f64>,
    /// `L(w + x d)` at each coordinate; NaN or infinite where the loss is.
    #[serde(with = "number")]
    pub losses: Vec<f64>,
    /// The loss `L(w)` of the model.
    pub base_loss: f64,
    /// Euclidean length of the direction.
    pub direction_norm: f64,
    /// Passes over the data.
    pub num_losses: usize,
    /// False if the observer stopped the slice: it then ends at the last point evaluated.
    pub completed: bool,
}

impl Csv for Slice1d {
    /// The columns `x,loss`, one line for each point.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let points = self.coordinates.iter().zip(&self.losses);
        let rows = points.map(|(x, loss)| [x.to_string(), loss.to_string()]);
        Ok(csv(["x", "loss"], rows, writer)?)
    }
}
