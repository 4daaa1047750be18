use std::io;

use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::pca::check_length;
use super::statistics::Statistics;
use super::{Trajectory, TrajectoryError};
use crate::loss::{LossError, NormalizationPolicy, Progress, Risk, Work};
use crate::space::{Grid, ParamVector};
use crate::writing::{Csv, FormatError, csv, number};

/// The loss along the own velocity of every checkpoint: `L(θ_t + x v_t)` with `v_t = θ_{t+1} − θ_t`.
///
/// Coordinate 0 has the weights of the checkpoint, to the last bit, and 1 those of the next one. The rows side by side are
/// a ribbon of the loss on which the trajectory lies, so that no height is that of another place, as on a plane. A
/// minimum of a row at `x < 1` says that the training jumped over the floor of a valley, one at `x > 1` that it stopped
/// short of it.
///
/// # Running statistics
///
/// For a model with batch normalization, what `x = 1` means depends on the [policy](Self::with_policy):
///
/// - [`Leave`](NormalizationPolicy::Leave), the default: all points of a row have the statistics of its checkpoint. At
///   `x = 0` this is the checkpoint as it is. At `x = 1` it has the weights of the next checkpoint with the statistics of
///   this one, and the loss is not that of the next checkpoint. A row may then rise on both sides only because the
///   statistics fit nowhere else: where it is lowest says little about the weights.
/// - [`ReestimateAll`](NormalizationPolicy::ReestimateAll), [`Reestimate`](NormalizationPolicy::Reestimate): every point
///   has statistics of its own weights. The point at `x = 1` is the next checkpoint, as at `x = 0` of the next row, up to
///   rounding. Its loss is not the one that a log has recorded, which is with the statistics of the training.
///
/// # Units
///
/// The coordinate counts steps between checkpoints; times the [velocity norm](Ribbon::velocity_norms) it is a distance in
/// parameter space.
///
/// # Cost
///
/// One pass over the data for every coordinate and checkpoint but the last, and one more to re-estimate statistics; no
/// gradients. Memory: two models and two vectors of parameters. Each checkpoint is read once.
///
/// # Defaults
///
/// [`NormalizationPolicy::Leave`], as in a landscape.
///
/// # References
///
/// Xing et al. 2018, *A Walk with SGD*, arXiv:1802.08770, for the loss between consecutive steps.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::prelude::*;
/// use burnscape::space::Grid;
/// use burnscape::trajectory::{RibbonConfig, Trajectory};
///
/// // From w to −w/2 on the loss |w|²: the floor is at two thirds of the step.
/// let device = Device::default();
/// let start = LinearConfig::new(2, 2).with_bias(false).init(&device);
/// let space = ParamSpace::of(&start)?;
/// let moved = ParamVector::from_module(&space, &start)?.perturb(&start, -1.5)?;
/// let trajectory = Trajectory::of([(0, start), (10, moved)])?;
///
/// let loss = |model: &Linear, x: Tensor<2>| model.forward(x).square().sum();
/// let data = [Tensor::<2>::eye(2, &device)];
/// let grid = Grid::from_coordinates(vec![0.0, 2.0 / 3.0, 1.0])?;
/// let ribbon = RibbonConfig::new(grid).run(&Risk::new(&loss, &data), &trajectory)?;
/// let [here, floor, next] = ribbon.row(0).ok_or("no row")? else { panic!() };
/// assert!(floor / here < 1e-9 && (next / here - 0.25).abs() < 1e-5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RibbonConfig {
    grid: Grid,
    policy: NormalizationPolicy,
}

impl RibbonConfig {
    /// A ribbon with these coordinates along each velocity, and the running statistics that the checkpoints have.
    pub fn new(grid: Grid) -> Self {
        Self {
            grid,
            policy: NormalizationPolicy::Leave,
        }
    }

    /// Sets the running statistics of all points: those of the checkpoint of the row, or re-estimated at every point over
    /// the data of the risk ([`Risk::reestimate`]). A loss is NaN where re-estimated statistics are not finite.
    #[must_use]
    pub fn with_policy(mut self, policy: NormalizationPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Evaluates the loss along the velocities.
    ///
    /// # Errors
    ///
    /// [`TrajectoryError::TooFewCheckpoints`] for fewer than two; [`TrajectoryError::NonFinite`] with the step of a
    /// checkpoint whose parameters are not finite (a loss that is not finite is kept);
    /// [`TrajectoryError::NoInterpolation`] for [`NormalizationPolicy::Interpolate`], [`TrajectoryError::OutOfRange`]
    /// for statistics over no batches; [`TrajectoryError::Loss`] from the risk; [`TrajectoryError::Stopped`] before the
    /// first point; [`TrajectoryError::Space`] for parameters of several element types; those of reading a checkpoint.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        trajectory: &Trajectory<M>,
    ) -> Result<Ribbon, TrajectoryError> {
        let statistics = Statistics::of(self.policy)?;
        check_length(trajectory)?;
        let coordinates = self.grid.coordinates();
        let total = (trajectory.len() - 1) * coordinates.len();
        let mut losses = Vec::with_capacity(total);
        let mut velocity_norms = Vec::new();
        let mut model = trajectory.model(0)?;
        let mut here = finite_vector(trajectory, &model, 0)?;
        'rows: for index in 1..trajectory.len() {
            let next_model = trajectory.model(index)?;
            let next = finite_vector(trajectory, &next_model, index)?;
            let velocity = next.clone().axpy(-1.0, &here)?;
            velocity_norms.push(velocity.norm()?);
            let velocity = velocity.to_leaves();
            for &x in coordinates {
                let loss = if x == 0.0 {
                    statistics.loss(risk, &model)
                } else {
                    statistics.loss(risk, &velocity.perturb(&model, x)?)
                };
                let loss = match loss {
                    Err(LossError::Stopped { .. }) if !losses.is_empty() => break 'rows,
                    loss => loss?,
                };
                losses.push(loss);
                let progress = Progress::new(Work::Point, losses.len());
                if risk.report(progress.of(total).value(loss)).is_break() {
                    break 'rows;
                }
            }
            (model, here) = (next_model, next);
        }
        let rows = losses.len().div_ceil(coordinates.len());
        velocity_norms.truncate(rows);
        Ok(Ribbon {
            policy: self.policy,
            steps: trajectory.steps()[..rows].to_vec(),
            coordinates: coordinates.to_vec(),
            velocity_norms,
            num_losses: losses.len(),
            completed: losses.len() == total,
            losses,
        })
    }
}

/// The loss along the velocities of a trajectory, the result of a [`RibbonConfig`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ribbon {
    /// How running statistics were treated.
    pub policy: NormalizationPolicy,
    /// The steps of the checkpoints, one for each row: all but the last.
    pub steps: Vec<usize>,
    /// The coordinates of each row.
    pub coordinates: Vec<f64>,
    /// The length `|v_t|` of the way to the next checkpoint, for each row.
    #[serde(with = "number")]
    pub velocity_norms: Vec<f64>,
    /// `L(θ_t + x v_t)`, row by row: index `t · coordinates.len() + i` for row `t` and coordinate `i`. NaN or infinite
    /// where the loss is. Shorter than the ribbon if the observer stopped it.
    #[serde(with = "number")]
    pub losses: Vec<f64>,
    /// Passes over the data for losses. Those that re-estimate statistics are extra.
    pub num_losses: usize,
    /// False if the observer stopped the measurement: it then ends at the last point that is complete.
    pub completed: bool,
}

impl Ribbon {
    /// The losses along the velocity of checkpoint `t`; fewer in the last row of a stopped ribbon, and none where there
    /// is no row.
    pub fn row(&self, t: usize) -> Option<&[f64]> {
        self.losses.chunks(self.coordinates.len().max(1)).nth(t)
    }
}

impl Csv for Ribbon {
    /// The columns `step,x,loss`, one line for each point.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let places = self.steps.iter();
        let places = places.flat_map(|step| self.coordinates.iter().map(move |x| (step, x)));
        let points = places.zip(&self.losses);
        let rows =
            points.map(|((step, x), loss)| [step.to_string(), x.to_string(), loss.to_string()]);
        Ok(csv(["step", "x", "loss"], rows, writer)?)
    }
}

/// The parameters of a checkpoint, refused unless they are finite.
fn finite_vector<M: Module>(
    trajectory: &Trajectory<M>,
    model: &M,
    index: usize,
) -> Result<ParamVector, TrajectoryError> {
    let vector = ParamVector::from_module(trajectory.space(), model)?;
    if vector.norm()?.is_finite() {
        Ok(vector)
    } else {
        let step = trajectory.steps()[index];
        Err(TrajectoryError::NonFinite { step })
    }
}
