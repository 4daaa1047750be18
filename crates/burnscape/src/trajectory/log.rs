use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;

use super::index::{self, Index, Line, file_error};
use super::record::{Record, relative_distance};
use super::state::KeptCheckpoint;
use super::statistics::kept_loss;
use super::{Checkpoint, Thinning, TrajectoryError, TrajectoryLogState, TrajectoryReading};
use crate::OutOfRange;
use crate::dynamics::{DynamicsError, Moment, Monitor};
use crate::loss::{LossError, Risk};
use crate::space::ParamSpace;

/// Names that a metric may not have: those of what every checkpoint has, and of coordinates on a plane.
const RESERVED: [&str; 6] = ["step", "lr", "loss", "file", "x", "y"];

/// Keeps the checkpoints of a training in a directory: a monitor of a [`Watch`](crate::dynamics::Watch), which decides at
/// which steps, and whose risk is the loss that is recorded. [`Trajectory::open`](super::Trajectory::open) reads them.
///
/// The directory has `trajectory.jsonl`, with a line for each checkpoint (step, learning rate, loss, metrics, file), and
/// files of Burn, `step-000000100.bpk`, which `Module::load_file` reads too. A checkpoint has all parameters, frozen
/// ones included, and the running statistics. A loss or a metric that is NaN or infinite is recorded as it is.
///
/// Files appear complete or not at all. A measurement that fails leaves the directory as it was. The steps must
/// increase. Use one directory per run.
///
/// # Resuming
///
/// The record of the watch, or of [`Monitors`](crate::dynamics::Monitors), does not contain the checkpoints: resume it
/// with a log in the same directory. Loading a record changes no file. The next measurement deletes what came after the
/// record, and what a process has left incomplete. Once the resumed run reaches the step where it was stopped, the
/// directories are identical, to the bit. Until then a checkpoint is missing if [`Thinning::AtMost`] has deleted it since
/// the record was taken.
///
/// Loading fails if the directory lacks a checkpoint for another reason, or is that of another run. A record taken before
/// the first checkpoint names none, so that it cannot be resumed once the run has written one: start again, in another
/// directory or after deleting the trajectory. A log that resumes nothing refuses a directory that has a trajectory,
/// when it measures for the first time.
///
/// # Cost
///
/// A pass over the data of the risk and one over those of each metric, a copy of the model to the host, and a file that
/// is written through to the disk. [`Thinning::Moved`] also reads the last checkpoint that was written.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::{GradientsParams, SgdConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::dynamics::{Due, Moment, Watch};
/// use burnscape::loss::Risk;
/// use burnscape::trajectory::{Trajectory, TrajectoryLog};
///
/// let device = Device::default().autodiff();
/// let mut model = LinearConfig::new(2, 1).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().mean();
/// let data = [Tensor::<2>::ones([8, 2], &device)];
///
/// let directory = std::env::temp_dir().join(format!("trajectory-log-{}", std::process::id()));
/// let log = TrajectoryLog::create(&directory)?;
/// let mut watch = Watch::new(Due::Every(2), log, Risk::new(&loss, &data))?;
/// let mut sgd = SgdConfig::new().init();
/// for step in 0..10 {
///     watch.observe(&Moment::new(step, 0.1, &model))?;
///     let gradients = loss(&model, data[0].clone()).backward();
///     let gradients = GradientsParams::from_grads(gradients, &model);
///     model = sgd.step(0.1, model, gradients);
/// }
///
/// let trajectory = Trajectory::open(&directory, &model)?;
/// assert_eq!(trajectory.steps(), [0, 2, 4, 6, 8]);
/// let early: Linear = trajectory.model(1)?;
/// assert_eq!(early.weight.dims(), [2, 1]);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TrajectoryLog<'a, M> {
    directory: PathBuf,
    metrics: Vec<(String, Risk<'a, M>)>,
    thinning: Thinning,
    state: TrajectoryLogState,
    /// The index that the directory had when the log or its state came to it; none after the next measurement. It may be
    /// ahead of the state.
    found: Option<String>,
}

impl<'a, M: Module> TrajectoryLog<'a, M> {
    /// A log in a directory, which is made if there is none. All checkpoints are kept.
    ///
    /// # Errors
    ///
    /// [`TrajectoryError::File`] if the directory cannot be made, or has an index that cannot be read. A directory with
    /// the trajectory of another run is refused by the first measurement, unless a record is resumed before.
    pub fn create(directory: impl AsRef<Path>) -> Result<Self, TrajectoryError> {
        let directory = directory.as_ref().to_path_buf();
        fs::create_dir_all(&directory)
            .map_err(|error| file_error(&directory, error, "choose another directory"))?;
        drop(Index::read(&directory)?);
        Ok(Self {
            directory,
            metrics: Vec::new(),
            thinning: Thinning::All,
            state: TrajectoryLogState::default(),
            found: Some(String::new()),
        })
    }

    /// Also records a metric under a name, for instance the error on training or test data: any risk. Loss, data, and an
    /// observer are shared. The first measurement refuses two metrics of one name, and the names `step`, `lr`, `loss`,
    /// `file`, `x` and `y`.
    #[must_use]
    pub fn with_metric<L>(mut self, name: impl Into<String>, metric: &Risk<'a, M, L>) -> Self {
        self.metrics.push((name.into(), metric.whole()));
        self
    }

    /// Sets which checkpoints are kept; [`Thinning::All`] by default. A setting outside its range is refused by the
    /// first measurement.
    #[must_use]
    pub fn with_thinning(mut self, thinning: Thinning) -> Self {
        self.thinning = thinning;
        self
    }

    fn check_settings(&self) -> Result<(), TrajectoryError> {
        self.thinning.check()?;
        for (index, (name, _)) in self.metrics.iter().enumerate() {
            let name = name.clone();
            if RESERVED.contains(&name.as_str()) {
                return Err(TrajectoryError::ReservedMetric { name });
            }
            if self.metrics[..index]
                .iter()
                .any(|(other, _)| *other == name)
            {
                return Err(TrajectoryError::DuplicateMetric { name });
            }
        }
        Ok(())
    }

    /// Refuses settings, models and directories with which nothing can be kept. Returns the space and the header.
    fn check(&self, moment: &Moment<'_, M>) -> Result<(ParamSpace, String), TrajectoryError> {
        self.check_settings()?;
        let space = ParamSpace::of(moment.model)?;
        let header = index::header(&space)?;
        if let Some(known) = &self.state.header
            && *known != header
        {
            index::check_header(&self.directory, known, &space)?;
        }
        if let Some(last) = self.state.last_step
            && moment.step <= last
        {
            let expected = format!("a step after {last}, the last one of this log");
            return Err(OutOfRange::new("step", moment.step as f64, expected).into());
        }
        index::check_unchanged(&self.directory, &self.index())?;
        Ok((space, header))
    }

    /// The index of the directory.
    fn index(&self) -> String {
        self.found.clone().unwrap_or_else(|| self.state.index())
    }

    /// Deletes what a state that is in the index no longer has. A file that cannot be deleted does no harm: it is not in
    /// the index.
    fn delete_gone(&self, state: &TrajectoryLogState) {
        if self.found.is_none() {
            let kept: HashSet<usize> = state.steps().into_iter().collect();
            let steps = self.state.steps().into_iter();
            for step in steps.filter(|step| !kept.contains(step)) {
                drop(fs::remove_file(index::path_of(&self.directory, step)));
            }
        } else if self.state.header.is_none() {
            // Without an index, checkpoints in the directory are not those of this log.
            index::delete_incomplete(&self.directory);
        } else {
            index::delete_others(&self.directory, &state.steps());
        }
    }

    /// Writes a checkpoint, unless it is thinned away at once. Returns the state after it.
    fn keep(
        &self,
        (space, header): (ParamSpace, String),
        moment: &Moment<'_, M>,
        (loss, metrics): (f64, Vec<(String, f64)>),
    ) -> Result<(TrajectoryLogState, TrajectoryReading), TrajectoryError> {
        // Without autodiff, and with the pending updates of running statistics.
        let record = moment.model.valid().into_record();
        let distance = match (self.thinning, self.state.kept.last()) {
            (Thinning::Moved(_), Some(last)) => {
                let before = Record::open(&index::path_of(&self.directory, last.step))?;
                let now = Record::of(record.clone())?;
                Some(relative_distance(&space, &now, &before)?)
            }
            _ => None,
        };
        let newest = self.state.measured;
        let mut state = self.state.clone();
        state.measured += 1;
        state.last_step = Some(moment.step);
        let mut reading = TrajectoryReading {
            loss,
            metrics,
            file: None,
            distance,
        };
        if !self.thinning.writes(distance) {
            if self.found.is_some() {
                index::replace(&self.directory, &self.index(), &state.index())?;
                self.delete_gone(&state);
            }
            return Ok((state, reading));
        }
        let file = index::file_name(moment.step);
        reading.file = Some(file.clone());
        let line = index::line(&Checkpoint {
            step: moment.step,
            lr: Some(moment.lr),
            loss: Some(loss),
            metrics: reading.metrics.clone(),
            file: Some(file),
        })?;
        let keeps = |kept: &KeptCheckpoint| self.thinning.keeps(kept.measurement, newest);
        state.header.get_or_insert(header);
        state.kept.retain(keeps);
        state.kept.push(KeptCheckpoint {
            measurement: newest,
            step: moment.step,
            line,
        });
        let path = index::path_of(&self.directory, moment.step);
        let is_new = !path.exists();
        record
            .save(&path)
            .map_err(|error| file_error(&path, error, "free space on the disk"))?;
        if let Err(error) = index::replace(&self.directory, &self.index(), &state.index()) {
            if is_new {
                drop(fs::remove_file(&path));
            }
            return Err(error);
        }
        self.delete_gone(&state);
        Ok((state, reading))
    }

    /// The part of a state that the directory still has, and its index. Refuses a directory that is not that of the run
    /// which had the state. Nothing is changed.
    fn present(
        &self,
        state: TrajectoryLogState,
    ) -> Result<(TrajectoryLogState, String), TrajectoryError> {
        self.check_settings()?;
        let TrajectoryLogState {
            measured,
            last_step,
            header,
            kept,
        } = state;
        let Some(header) = header else {
            index::check_unchanged(&self.directory, "")?;
            let state = TrajectoryLogState {
                measured,
                last_step,
                header: None,
                kept,
            };
            return Ok((state, String::new()));
        };
        let Some(found) = Index::read(&self.directory)? else {
            return Err(self.refusal("the directory has no trajectory"));
        };
        if found.header != header {
            return Err(self.refusal("the directory has the trajectory of another model"));
        }
        let is_later = |line: &Line| last_step.is_none_or(|last| line.checkpoint.step > last);
        let (later, present): (Vec<_>, Vec<_>) = found.lines.into_iter().partition(is_later);
        // What the run deleted after the state is not in the index, and would be deleted again.
        let is_thinned = |known: &KeptCheckpoint| {
            let thins = matches!(self.thinning, Thinning::AtMost(_));
            thins && !later.is_empty() && known.measurement > 0
        };
        let mut present = present.into_iter().peekable();
        let mut left = Vec::with_capacity(kept.len());
        for known in kept {
            match present.next_if(|line| line.checkpoint.step == known.step) {
                Some(line) if line.text == known.line => {
                    let path = index::path_of(&self.directory, known.step);
                    fs::metadata(&path).map_err(|error| {
                        file_error(&path, error, "restore the file, which the state names")
                    })?;
                    left.push(known);
                }
                None if is_thinned(&known) => {}
                _ => {
                    let step = known.step;
                    let reason = format!("the checkpoint of step {step} is missing or another");
                    return Err(self.refusal(&reason));
                }
            }
        }
        if let Some(line) = present.next() {
            let step = line.checkpoint.step;
            let reason = format!("it has a checkpoint of step {step}, and the state has none");
            return Err(self.refusal(&reason));
        }
        let state = TrajectoryLogState {
            measured,
            last_step,
            header: Some(header),
            kept: left,
        };
        Ok((state, found.text))
    }

    fn refusal(&self, reason: &str) -> TrajectoryError {
        TrajectoryError::File {
            path: self.directory.display().to_string(),
            message: format!(
                "{reason}; resume a record in the directory of the run that wrote it, or start a new log elsewhere"
            ),
        }
    }
}

impl<M: Module, K> Monitor<M, K> for TrajectoryLog<'_, M> {
    type Reading = TrajectoryReading;
    type State = TrajectoryLogState;

    fn name(&self) -> &'static str {
        "trajectory"
    }

    fn measure(
        &mut self,
        risk: &Risk<'_, M, K>,
        moment: &Moment<'_, M>,
    ) -> Result<TrajectoryReading, DynamicsError> {
        let checked = self.check(moment).map_err(dynamics_error)?;
        let loss = kept_loss(risk, moment.model)?;
        let metrics = self.metrics.iter();
        let metrics =
            metrics.map(|(name, risk)| Ok((name.clone(), kept_loss(risk, moment.model)?)));
        let metrics = metrics.collect::<Result<Vec<_>, LossError>>()?;
        let kept = self.keep(checked, moment, (loss, metrics));
        let (state, reading) = kept.map_err(dynamics_error)?;
        self.state = state;
        self.found = None;
        Ok(reading)
    }

    fn to_state(&self) -> Result<TrajectoryLogState, DynamicsError> {
        Ok(self.state.clone())
    }

    fn load_state(&mut self, state: TrajectoryLogState) -> Result<(), DynamicsError> {
        let (state, found) = self.present(state).map_err(dynamics_error)?;
        self.state = state;
        self.found = Some(found);
        Ok(())
    }
}

fn dynamics_error(error: TrajectoryError) -> DynamicsError {
    match error {
        TrajectoryError::OutOfRange(error) => error.into(),
        TrajectoryError::Loss(error) => error.into(),
        TrajectoryError::Space(error) => error.into(),
        other => DynamicsError::Record {
            message: other.to_string(),
        },
    }
}

impl<M> fmt::Debug for TrajectoryLog<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metrics: Vec<&str> = self.metrics.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("TrajectoryLog")
            .field("directory", &self.directory)
            .field("metrics", &metrics)
            .field("thinning", &self.thinning)
            .field("state", &self.state)
            .finish()
    }
}
