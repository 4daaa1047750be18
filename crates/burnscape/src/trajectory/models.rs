use std::fmt;
use std::ops::Range;
#[cfg(feature = "files")]
use std::path::Path;

use burn::module::Module;

#[cfg(feature = "files")]
use super::index::{Index, file_error};
#[cfg(feature = "files")]
use super::stored::{Forms, Stored};
use super::{Checkpoint, TrajectoryError};
use crate::OutOfRange;
use crate::space::{LeafVector, ParamSpace, ParamVector, SpaceError, to_host, unshared_copy};

/// Checkpoints of one model in the order of its training: in memory, or in the directory of a `TrajectoryLog` (feature
/// `files`).
///
/// A directory is read as it is needed. Only the headers of its files are read when it is opened.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burnscape::space::{ParamSpace, ParamVector};
/// use burnscape::trajectory::Trajectory;
///
/// let start = LinearConfig::new(2, 1).init(&Device::default());
/// let space = ParamSpace::of(&start)?;
/// let step = ParamVector::rademacher(&space, 1)?;
/// let models = (0..4).map(|index| Ok((10 * index, step.perturb(&start, index as f64)?)));
/// let models = models.collect::<Result<Vec<_>, burnscape::space::SpaceError>>()?;
///
/// let trajectory = Trajectory::of(models)?;
/// assert_eq!(trajectory.steps(), [0, 10, 20, 30]);
/// let moved = ParamVector::from_module(&space, &trajectory.model(3)?)?;
/// let moved = moved.axpy(-1.0, &ParamVector::from_module(&space, &start)?)?;
/// // Three steps of length √3: a weight of two numbers and a bias.
/// assert!((moved.norm()? - 27.0_f64.sqrt()).abs() < 1e-5);
/// # Ok::<(), burnscape::trajectory::TrajectoryError>(())
/// ```
pub struct Trajectory<M> {
    space: ParamSpace,
    steps: Vec<usize>,
    checkpoints: Vec<Checkpoint>,
    models: Models<M>,
}

enum Models<M> {
    InMemory(Vec<M>),
    #[cfg(feature = "files")]
    InFiles {
        template: M,
        files: Vec<Stored>,
    },
}

impl<M: Module> Trajectory<M> {
    /// Models and the steps before which they were, in ascending order.
    ///
    /// The models are kept as copies that share no running statistics with others; parameters are shared until they
    /// change.
    ///
    /// # Errors
    ///
    /// [`TrajectoryError::OutOfRange`] if a step is not after the one before, [`TrajectoryError::OtherModel`] if a model
    /// has other parameters than the first, [`TrajectoryError::TooFewCheckpoints`] if there are none, and those of
    /// [`ParamSpace::of`].
    pub fn of(models: impl IntoIterator<Item = (usize, M)>) -> Result<Self, TrajectoryError> {
        let mut space: Option<ParamSpace> = None;
        let mut steps: Vec<usize> = Vec::new();
        let (mut checkpoints, mut copies) = (Vec::new(), Vec::new());
        for (step, model) in models {
            if let Some(last) = steps.last()
                && step <= *last
            {
                let expected = format!("a step after {last}, the one before");
                return Err(OutOfRange::new("step", step as f64, expected).into());
            }
            let own = ParamSpace::of(&model)?;
            let first = space.get_or_insert_with(|| own.clone());
            first
                .check_same(&own)
                .map_err(|error| other_model(error, step))?;
            steps.push(step);
            checkpoints.push(Checkpoint {
                step,
                lr: None,
                loss: None,
                metrics: Vec::new(),
                file: None,
            });
            copies.push(unshared_copy(&model));
        }
        let space = space.ok_or(TrajectoryError::TooFewCheckpoints {
            found: 0,
            needed: 1,
        })?;
        Ok(Self {
            space,
            steps,
            checkpoints,
            models: Models::InMemory(copies),
        })
    }

    /// The trajectory that a `TrajectoryLog` has kept in a directory.
    ///
    /// `model` is any model of the same architecture, on any device; its values are not used. Checkpoints are models in
    /// its state: on its device, with or without autodiff, with the same flags and parameters frozen.
    ///
    /// # Cost
    ///
    /// The headers of all files, and a copy of the model to the host.
    ///
    /// # Errors
    ///
    /// [`TrajectoryError::File`] for a directory without a trajectory, a file that is missing, and one that is
    /// malformed; [`TrajectoryError::OtherModel`] with the first parameter that differs from those of `model` in path,
    /// shape or type; [`TrajectoryError::TooFewCheckpoints`] if there are none.
    #[cfg(feature = "files")]
    pub fn open(directory: impl AsRef<Path>, model: &M) -> Result<Self, TrajectoryError> {
        let directory = directory.as_ref();
        let remedy = "pass the directory of a `TrajectoryLog` that has measured";
        let index = Index::read(directory)?
            .ok_or_else(|| file_error(directory, "it has no `trajectory.jsonl`", remedy))?;
        let space = ParamSpace::of(model)?;
        index.check_model(&space)?;
        let forms = Forms::of(&space, model)?;
        let (mut steps, mut checkpoints, mut files) = (Vec::new(), Vec::new(), Vec::new());
        for line in index.lines {
            let checkpoint = line.checkpoint;
            let path = super::index::path_of(directory, checkpoint.step);
            files.push(Stored::open(path, &space, &forms)?);
            steps.push(checkpoint.step);
            checkpoints.push(checkpoint);
        }
        if files.is_empty() {
            return Err(TrajectoryError::TooFewCheckpoints {
                found: 0,
                needed: 1,
            });
        }
        Ok(Self {
            space,
            steps,
            checkpoints,
            models: Models::InFiles {
                template: unshared_copy(model),
                files,
            },
        })
    }

    /// The number of checkpoints.
    #[allow(
        clippy::len_without_is_empty,
        reason = "a trajectory without checkpoints is an error"
    )]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// The steps of the checkpoints, in ascending order.
    pub fn steps(&self) -> &[usize] {
        &self.steps
    }

    /// What is known of the checkpoints besides their models.
    pub fn checkpoints(&self) -> &[Checkpoint] {
        &self.checkpoints
    }

    /// The model of a checkpoint, with its running statistics. It shares none with other models.
    ///
    /// # Errors
    ///
    /// [`TrajectoryError::OutOfRange`] for an index that is too large, [`TrajectoryError::File`] if its file cannot be
    /// read.
    pub fn model(&self, index: usize) -> Result<M, TrajectoryError> {
        match &self.models {
            Models::InMemory(models) => Ok(unshared_copy(at(models, index)?)),
            #[cfg(feature = "files")]
            Models::InFiles { template, files } => at(files, index)?.load(template),
        }
    }

    /// The space of the parameters.
    pub(crate) fn space(&self) -> &ParamSpace {
        &self.space
    }

    /// The parameters of a checkpoint.
    pub(crate) fn vector(&self, index: usize) -> Result<ParamVector, TrajectoryError> {
        Ok(ParamVector::from_leaves(&self.leaves(index)?)?)
    }

    /// Coordinates `range` of a checkpoint, on the host in f64. Of a file no others are read, with two exceptions: a
    /// parameter that is stored column by column is read whole, and a model that stores one in a form of its own, too.
    pub(crate) fn piece(
        &self,
        index: usize,
        range: Range<usize>,
    ) -> Result<Vec<f64>, TrajectoryError> {
        let len = self.space.len();
        if range.end > len || range.start > range.end {
            let expected = format!("at most {len}, and not before the start");
            return Err(OutOfRange::new("range.end", range.end as f64, expected).into());
        }
        let parts = parts(&self.space, &range);
        let numbers = match &self.models {
            Models::InMemory(_) => None,
            #[cfg(feature = "files")]
            Models::InFiles { files, .. } => at(files, index)?.numbers(&parts)?,
        };
        if let Some(numbers) = numbers {
            return Ok(numbers);
        }
        let leaves = self.leaves(index)?;
        let mut numbers = Vec::with_capacity(range.len());
        for (leaf, part) in parts {
            if let Some(Some(values)) = leaves.leaves().get(leaf) {
                numbers.extend(to_host(values.clone().slice(part))?);
            }
        }
        Ok(numbers)
    }

    fn leaves(&self, index: usize) -> Result<LeafVector, TrajectoryError> {
        Ok(match &self.models {
            Models::InMemory(models) => LeafVector::from_module(&self.space, at(models, index)?)?,
            #[cfg(feature = "files")]
            Models::InFiles { .. } => LeafVector::from_module(&self.space, &self.model(index)?)?,
        })
    }
}

/// The parameters that a range of coordinates covers, and its range within each.
fn parts(space: &ParamSpace, range: &Range<usize>) -> Vec<(usize, Range<usize>)> {
    let leaves = space.leaves().iter().enumerate();
    let parts = leaves.map(|(index, leaf)| {
        let (start, end) = (leaf.offset(), leaf.offset() + leaf.len());
        let within = |place: usize| place.clamp(start, end) - start;
        (index, within(range.start)..within(range.end))
    });
    parts.filter(|(_, part)| !part.is_empty()).collect()
}

fn at<T>(items: &[T], index: usize) -> Result<&T, TrajectoryError> {
    items.get(index).ok_or_else(|| {
        let expected = format!("less than {}, the number of checkpoints", items.len());
        OutOfRange::new("index", index as f64, expected).into()
    })
}

fn other_model(error: SpaceError, step: usize) -> TrajectoryError {
    match error {
        SpaceError::DifferentSpaces { expected, found } => TrajectoryError::OtherModel {
            message: format!("the first one has {expected}, that of step {step} {found}"),
        },
        other => other.into(),
    }
}

impl<M> fmt::Debug for Trajectory<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trajectory")
            .field("steps", &self.steps)
            .field("num_params", &self.space.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
