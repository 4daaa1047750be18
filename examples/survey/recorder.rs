//! Keeps a training run: its checkpoints in files, and how sharp the loss was on the way.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use burnscape::dynamics::{
    CurvatureMonitor, CurvatureMonitorConfig, CurvatureReading, Due, EdgeRule, Moment, Observation,
    Watch,
};
use burnscape::loss::{Risk, Whole};
use burnscape::trajectory::TrajectoryLog;

use super::data::{Digits, Split};
use super::models::Classifier;
use super::optimizer_name::OptimizerName;
use super::settings::{CHECKPOINTS, SHARPNESS_READINGS};
use super::train::loss;

/// The metric that checkpoints have beside their loss.
pub(crate) const TEST_LOSS: &str = "test loss";

/// A training run that was kept.
pub(crate) struct Recording {
    pub(crate) optimizer: OptimizerName,
    /// Where its checkpoints are.
    pub(crate) directory: PathBuf,
    pub(crate) sharpness: Vec<Observation<CurvatureReading>>,
    /// What keeping it took.
    pub(crate) seconds: f64,
}

/// Keeps a run while it goes on.
pub(crate) struct Recorder<M: Classifier> {
    directory: PathBuf,
    log: Watch<'static, M, Whole, TrajectoryLog<'static, M>>,
    sharpness: Watch<'static, M, Whole, CurvatureMonitor>,
    spent: Duration,
}

impl<M: Classifier> Recorder<M> {
    /// Keeps a run of so many steps in a directory, in place of an earlier one.
    pub(crate) fn new(
        directory: PathBuf,
        split: &Split,
        steps: usize,
        edge: EdgeRule,
    ) -> Result<Self, Box<dyn Error>> {
        clear(&directory)?;
        let test: Risk<'static, M> = risk(&split.test);
        let log = TrajectoryLog::<M>::create(&directory)?.with_metric(TEST_LOSS, &test);
        let monitor = CurvatureMonitorConfig::new().with_optimizer(edge).init()?;
        Ok(Self {
            log: Watch::new(due(steps, CHECKPOINTS), log, risk(&split.train))?,
            sharpness: Watch::new(due(steps, SHARPNESS_READINGS), monitor, risk(&split.train))?,
            directory,
            spent: Duration::ZERO,
        })
    }

    /// Called before every step, with the model before it.
    pub(crate) fn observe(
        &mut self,
        step: usize,
        rate: f64,
        model: &M,
    ) -> Result<(), Box<dyn Error>> {
        let start = Instant::now();
        let moment = Moment::new(step, rate, model);
        self.log.observe(&moment)?;
        self.sharpness.observe(&moment)?;
        self.spent += start.elapsed();
        Ok(())
    }

    /// What keeping the run has taken so far.
    pub(crate) fn seconds(&self) -> f64 {
        self.spent.as_secs_f64()
    }

    /// Keeps the trained model, too.
    pub(crate) fn finish(
        mut self,
        optimizer: OptimizerName,
        steps: usize,
        model: &M,
    ) -> Result<Recording, Box<dyn Error>> {
        self.observe(steps, 0.0, model)?;
        Ok(Recording {
            optimizer,
            sharpness: self.sharpness.readings().to_vec(),
            seconds: self.seconds(),
            directory: self.directory,
        })
    }
}

/// The loss over all images at once.
fn risk<M: Classifier>(digits: &Digits) -> Risk<'static, M> {
    Risk::owned(loss::<M>, vec![digits.clone()])
}

/// The first step, and so many others at equal distances up to the end.
fn due(steps: usize, count: usize) -> Due {
    let count = count.min(steps);
    Due::At((0..=count).map(|index| index * steps / count).collect())
}

/// Deletes an earlier run from its directory, and nothing else there.
fn clear(directory: &Path) -> Result<(), Box<dyn Error>> {
    if !directory.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let is_own = name.is_some_and(|name| {
            name == "trajectory.jsonl" || (name.starts_with("step-") && name.ends_with(".bpk"))
        });
        if is_own {
            fs::remove_file(&path)
                .map_err(|error| format!("cannot delete {}: {error}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_run_are_due() {
        let due = due(600, 40);
        assert!([0, 15, 585, 600].map(|step| due.is_due(step)) == [true; 4]);
        assert!(!due.is_due(10));
        // Every step of a run with fewer.
        let due = super::due(3, 40);
        assert!([0, 1, 2, 3].map(|step| due.is_due(step)) == [true; 4]);
    }
}
