use std::io;

use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::statistics::Statistics;
use super::{Trajectory, TrajectoryError};
use crate::loss::{NormalizationPolicy, Progress, Risk, Work};
use crate::space::ParameterPlane;
use crate::writing::{Csv, FormatError, csv, number};

/// The checkpoints of a trajectory on a plane, with the loss that they have and the loss that the plane has below them.
///
/// A checkpoint `θ` goes to the nearest point `o + x d₁ + y d₂` of the plane, by least squares. It is off the plane by
/// the distance to that point, so that a surface drawn over the plane does not show its loss: the *height gap* is
/// `L(θ) − L(o + x d₁ + y d₂)`. Draw both heights.
///
/// The axes of the plane must be directions of all parameters: a plane of a group of them would not see how the others
/// move.
///
/// # Running statistics
///
/// By default `L(θ)` is the loss of the checkpoint with its own running statistics, and the loss of the plane that with
/// the statistics of its origin, as in a landscape. For a model with batch normalization the height gap then has a part
/// that comes from statistics which do not fit the weights. [`with_policy`](Self::with_policy) re-estimates both.
///
/// # Cost
///
/// Two passes over the data for each checkpoint, and two more to re-estimate statistics; no gradients. Checkpoints are
/// read one after another, each once.
///
/// # Defaults
///
/// [`NormalizationPolicy::Leave`], as in a landscape.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::prelude::*;
/// use burnscape::space::ParameterPlane;
/// use burnscape::trajectory::{ProjectionConfig, Trajectory};
///
/// // The loss is |w|² with w = (x, y, z), and the checkpoints come down to the origin in two steps.
/// let device = Device::default();
/// let end = LinearConfig::new(3, 1).with_bias(false).init(&device);
/// let space = ParamSpace::of(&end)?;
/// let at = |w: [f64; 3]| ParamVector::from_host(&space, &w);
/// let models = [[1.0, 0.0, 2.0], [0.5, 0.5, 1.0], [0.0, 0.0, 0.0]];
/// let models = models.map(|w| at(w)?.apply_to(&end));
/// let models = models.into_iter().collect::<Result<Vec<_>, _>>()?;
/// let plane = ParameterPlane::spanned(&models[2], [&at([1.0, 0.0, 0.0])?, &at([0.0, 1.0, 0.0])?])?;
/// let trajectory = Trajectory::of(models.into_iter().enumerate())?;
///
/// let loss = |model: &Linear, x: Tensor<2>| model.forward(x).square().sum();
/// let data = [Tensor::<2>::eye(3, &device)];
/// let found = ProjectionConfig::new().run(&Risk::new(&loss, &data), &trajectory, &plane)?;
/// let first = &found.points[0];
/// assert_eq!((first.x, first.y, first.distance), (1.0, 0.0, 2.0));
/// assert_eq!((first.loss, first.plane_loss, first.height_gap), (5.0, 1.0, 4.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProjectionConfig {
    policy: NormalizationPolicy,
}

impl Default for ProjectionConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl ProjectionConfig {
    /// A projection with both heights, each with the statistics that its model has.
    pub fn new() -> Self {
        Self {
            policy: NormalizationPolicy::Leave,
        }
    }

    /// Sets the running statistics of the checkpoints and of their projections: left as they are, or re-estimated over
    /// the data of the risk ([`Risk::reestimate`]). A loss is NaN where re-estimated statistics are not finite.
    #[must_use]
    pub fn with_policy(mut self, policy: NormalizationPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Projects the checkpoints, and evaluates them and their projections.
    ///
    /// # Errors
    ///
    /// [`TrajectoryError::Space`] for a plane of another model, or of a group of parameters;
    /// [`TrajectoryError::NonFinite`] with the step of a checkpoint whose parameters are not finite (a loss that is not
    /// finite is kept); [`TrajectoryError::NoInterpolation`] for [`NormalizationPolicy::Interpolate`],
    /// [`TrajectoryError::OutOfRange`] for statistics over no batches; [`TrajectoryError::Loss`] from the risk;
    /// [`TrajectoryError::Stopped`] before the first point; those of reading a checkpoint.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        trajectory: &Trajectory<M>,
        plane: &ParameterPlane<M>,
    ) -> Result<Projection, TrajectoryError> {
        let statistics = Statistics::of(self.policy)?;
        let [axis, _] = plane.axes();
        trajectory.space().check_same(axis.space())?;
        let points = take_points(risk, trajectory.len(), |index| {
            let step = trajectory.steps()[index];
            let model = trajectory.model(index)?;
            let place = plane.place(&model)?;
            if ![place.x, place.y, place.distance]
                .iter()
                .all(|x| x.is_finite())
            {
                return Err(TrajectoryError::NonFinite { step });
            }
            let loss = statistics.loss(risk, &model)?;
            let below = plane.point(place.x, place.y)?;
            let plane_loss = statistics.loss(risk, &below)?;
            let point = ProjectedPoint {
                step,
                x: place.x,
                y: place.y,
                distance: place.distance,
                off_plane_share: place.off_plane_share,
                loss,
                plane_loss,
                height_gap: loss - plane_loss,
            };
            Ok((point, loss))
        })?;
        Ok(Projection {
            policy: self.policy,
            num_losses: 2 * points.len(),
            completed: points.len() == trajectory.len(),
            points,
        })
    }
}

/// A trajectory on a plane, the result of a [`ProjectionConfig`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Projection {
    /// How running statistics were treated.
    pub policy: NormalizationPolicy,
    /// The checkpoints in order.
    pub points: Vec<ProjectedPoint>,
    /// Passes over the data for losses. Those that re-estimate statistics are extra.
    pub num_losses: usize,
    /// False if the observer stopped the measurement: it then ends at the last point that is complete.
    pub completed: bool,
}

/// A checkpoint, seen from a plane.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProjectedPoint {
    /// The step of the checkpoint.
    pub step: usize,
    /// First coordinate of the nearest point of the plane.
    #[serde(with = "number")]
    pub x: f64,
    /// Its second coordinate.
    #[serde(with = "number")]
    pub y: f64,
    /// The distance from the plane.
    #[serde(with = "number")]
    pub distance: f64,
    /// That distance over the distance from the origin of the plane: 0 on the plane, 1 straight above its origin. 0 at
    /// the origin.
    #[serde(with = "number")]
    pub off_plane_share: f64,
    /// The loss of the checkpoint.
    #[serde(with = "number")]
    pub loss: f64,
    /// The loss of the nearest point of the plane.
    #[serde(with = "number")]
    pub plane_loss: f64,
    /// `loss − plane_loss`: what a trajectory drawn on the surface hides.
    #[serde(with = "number")]
    pub height_gap: f64,
}

impl Projection {
    /// The mean of the off-plane shares, without checkpoints at the origin of the plane, which have none; NaN if there
    /// are no others.
    pub fn mean_off_plane_share(&self) -> f64 {
        let points = self.points.iter();
        let away = points.filter(|point| (point.x, point.y, point.distance) != (0.0, 0.0, 0.0));
        let shares: Vec<f64> = away.map(|point| point.off_plane_share).collect();
        shares.iter().sum::<f64>() / shares.len() as f64
    }

    /// The first point whose height gap is the largest in size; none if no gap is a number.
    pub fn largest_gap(&self) -> Option<&ProjectedPoint> {
        let points = self
            .points
            .iter()
            .filter(|point| !point.height_gap.is_nan());
        points.reduce(|largest, point| {
            if point.height_gap.abs() > largest.height_gap.abs() {
                point
            } else {
                largest
            }
        })
    }
}

impl Csv for Projection {
    /// The columns `step,x,y,distance,off_plane_share,loss,plane_loss,height_gap`, one line for each point.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let header = [
            "step",
            "x",
            "y",
            "distance",
            "off_plane_share",
            "loss",
            "plane_loss",
            "height_gap",
        ];
        let rows = self.points.iter().map(|point| {
            [
                point.step.to_string(),
                point.x.to_string(),
                point.y.to_string(),
                point.distance.to_string(),
                point.off_plane_share.to_string(),
                point.loss.to_string(),
                point.plane_loss.to_string(),
                point.height_gap.to_string(),
            ]
        });
        Ok(csv(header, rows, writer)?)
    }
}

/// Takes `count` points, each with its loss, or fewer if the observer ends the work. A stop before the first point is
/// complete is an error.
pub(super) fn take_points<M, K, T>(
    risk: &Risk<'_, M, K>,
    count: usize,
    mut take: impl FnMut(usize) -> Result<(T, f64), TrajectoryError>,
) -> Result<Vec<T>, TrajectoryError> {
    let mut points = Vec::with_capacity(count);
    for index in 0..count {
        let (point, loss) = match take(index) {
            Err(TrajectoryError::Stopped) if index > 0 => break,
            taken => taken?,
        };
        points.push(point);
        let progress = Progress::new(Work::Point, points.len());
        if risk.report(progress.of(count).value(loss)).is_break() {
            break;
        }
    }
    Ok(points)
}
