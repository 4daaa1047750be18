use burnscape_topology::TopologyError;
use thiserror::Error;

use crate::OutOfRange;
use crate::loss::{LossError, WorkerError};
use crate::space::SpaceError;

/// A landscape that cannot be evaluated, or a question that it cannot answer.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum LandscapeError {
    /// A setting is outside its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// No axes, or not one direction for each.
    #[error(
        "the grid has {axes} axes and there are {directions} directions; pass one direction for each axis, and at \
         least one"
    )]
    Axes {
        /// The number of axes.
        axes: usize,
        /// The number of directions.
        directions: usize,
    },
    /// An axis with a single point.
    #[error(
        "axis {axis} has one point and shows nothing along its direction; give it two points or more, or leave it out"
    )]
    OnePoint {
        /// The axis.
        axis: usize,
    },
    /// More points than the budget.
    #[error(
        "the grid has {points} points, and each is a pass over the data; at most {max} are allowed: use a coarser \
         grid, or allow more with `with_max_points`"
    )]
    TooManyPoints {
        /// The number of points; the largest number if it is larger.
        points: usize,
        /// The budget.
        max: usize,
    },
    /// More points than memory.
    #[error(
        "the values of {points} points do not fit into memory; use a coarser grid, or fewer metrics"
    )]
    OutOfMemory {
        /// The number of points.
        points: usize,
    },
    /// Two metrics with one name.
    #[error("two metrics are called `{name}`; give each its own name")]
    DuplicateMetric {
        /// The name.
        name: String,
    },
    /// A metric with the name of another column.
    #[error(
        "a metric is called `{name}`, which is another column of this landscape; give it another name"
    )]
    ReservedMetric {
        /// The name.
        name: String,
    },
    /// A direction without a length.
    #[error(
        "direction {index} has norm {norm}; use another direction, or `UnfilteredRule::AsOneFilter` if it is \
         filter-normalized and the model has no weights with filters"
    )]
    NoDirection {
        /// 0 for the first direction.
        index: usize,
        /// Its norm.
        norm: f64,
    },
    /// A direction in the span of the ones before it.
    #[error(
        "direction {index} is parallel to the ones before it (cosine {cosine}) and adds no axis; draw it with another \
         seed, or leave it out"
    )]
    Parallel {
        /// 0 for the first direction.
        index: usize,
        /// The cosine of its angle to the span of the earlier directions; with a sign for two directions.
        cosine: f64,
    },
    /// Eigenvalues without their vectors.
    #[error(
        "there are {values} eigenvalues and {vectors} eigenvectors; take the pairs as `EigenpairsConfig::run` returns \
         them: JSON does not hold the vectors"
    )]
    MissingVectors {
        /// The number of eigenvalues.
        values: usize,
        /// The number of eigenvectors.
        vectors: usize,
    },
    /// Running statistics that no direction can interpolate.
    #[error(
        "the model has running statistics, and no direction says how they change; use directions made by \
         `Direction::between` or `Direction::update`, or another `NormalizationPolicy` than `Interpolate`"
    )]
    NoStatistics,
    /// Random draws on several threads or devices.
    #[error(
        "a loss or metric draws random numbers, which all threads or devices would take from one generator; evaluate it \
         on one thread and without `with_devices`, or without `with_draws_seed`"
    )]
    DrawsOnThreads,
    /// Several threads of a risk with several devices.
    #[error(
        "a risk has {devices} devices, and the landscape {threads} threads; leave out `with_threads`: every device has a \
         thread of its own"
    )]
    ThreadsOnDevices {
        /// The number of threads.
        threads: usize,
        /// The number of devices.
        devices: usize,
    },
    /// Threads that the system refuses.
    #[error("cannot start {threads} threads ({message}); ask for fewer with `with_threads`")]
    NoThreads {
        /// The number of threads.
        threads: usize,
        /// The message of the system.
        message: String,
    },
    /// A landscape that was stopped.
    #[error(
        "{evaluated} of {points} points are evaluated; take `coarser()`, the finest grid that is complete, or run the \
         landscape to its end"
    )]
    Incomplete {
        /// Points evaluated.
        evaluated: usize,
        /// Points of the grid.
        points: usize,
    },
    /// A loss without a logarithm.
    #[error(
        "the loss at {at:?} is {loss}, which has no logarithm; use `LossScale::Linear`, or a loss that is positive"
    )]
    NoLogarithm {
        /// The coordinates of the first such point.
        at: Vec<f64>,
        /// The loss there.
        loss: f64,
    },
    /// A cache file that cannot be used.
    #[error("cannot use the cache `{path}`: {message}")]
    Cache {
        /// The file.
        path: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A cache file of another run.
    #[error(
        "the cache `{path}` belongs to another run: {what}; delete the file, or use another path"
    )]
    OtherCache {
        /// The file.
        path: String,
        /// In what the runs differ.
        what: String,
    },
    /// The merge tree cannot be computed.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The observer of a risk stopped the work before there was a result.
    #[error("the observer stopped the work before there was a result; let it run longer")]
    Stopped,
    /// The loss could not be evaluated.
    #[error(transparent)]
    Loss(LossError),
    /// Parameters that do not match.
    #[error(transparent)]
    Space(#[from] SpaceError),
}

impl From<LossError> for LandscapeError {
    fn from(error: LossError) -> Self {
        match error {
            LossError::Stopped { .. } => Self::Stopped,
            other => Self::Loss(other),
        }
    }
}

impl WorkerError for LandscapeError {
    fn device_failure(&self) -> Option<String> {
        match self {
            Self::Loss(error) => error.device_failure(),
            Self::Space(error) => LossError::from(error.clone()).device_failure(),
            _ => None,
        }
    }
}
