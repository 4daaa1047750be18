use std::path::{Path, PathBuf};

use burn::module::Module;

use super::StepWatcher;
use super::error::StrategyError;
use crate::optim::sam::{EntryPoint, SamMachine};
use crate::optim::{OptimError, OptimRecord, SamConfig};

/// The records of a sharpness-aware optimizer beside Burn's checkpoints, `sam-{epoch}.bpk`, and those of what measures in
/// the training, `monitors-{epoch}.mpk`.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    pub(super) directory: Option<PathBuf>,
}

/// How the files of all epochs are called: before and after the epoch.
type Files = (&'static str, &'static str);

const RECORD: Files = ("sam", "bpk");
const MONITORS: Files = ("monitors", "mpk");
const MODEL: Files = ("model", "bpk");

impl Checkpoints {
    /// Refuses a configuration whose memory would be lost silently.
    pub(super) fn check(&self, config: &SamConfig) -> Result<(), StrategyError> {
        match (&self.directory, memory(config)) {
            (None, Some(feature)) => Err(StrategyError(format!(
                "{feature} has a memory that Burn's checkpoints do not contain; pass their directory to \
                 `with_checkpoints`"
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses monitors whose readings would be lost silently.
    pub(super) fn check_watcher(&self) -> Result<(), StrategyError> {
        match &self.directory {
            None => Err(StrategyError(
                "Burn's checkpoints do not contain the monitors; pass their directory to \
                 `with_checkpoints`"
                    .to_string(),
            )),
            Some(_) => Ok(()),
        }
    }

    /// Restores the state of an epoch. A configuration without a memory needs no record.
    pub(super) fn load<M: Module>(
        &self,
        machine: &mut SamMachine,
        model: &M,
        epoch: usize,
    ) -> Result<(), StrategyError> {
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        let path = file(directory, RECORD, epoch);
        match memory(&machine.config) {
            _ if path.exists() => {
                let record = OptimRecord::load(&path).map_err(|error| {
                    StrategyError(format!("the checkpoint is refused: {error}"))
                })?;
                let loaded = machine.load_record(&record, model);
                loaded.map(drop).map_err(|error| {
                    let path = path.display();
                    StrategyError(format!("the record `{path}` is refused: {error}"))
                })
            }
            Some(feature) => Err(StrategyError(format!(
                "{feature} cannot resume without its record `{}`; resume from an epoch that has one, or start a new \
                 training (`active_steps` delays the ascents of a run)",
                path.display()
            ))),
            None => Ok(()),
        }
    }

    pub(super) fn save<M: Module>(
        &self,
        machine: &SamMachine,
        model: &M,
        epoch: usize,
    ) -> Result<(), StrategyError> {
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        let path = file(directory, RECORD, epoch);
        // If this fails, so does writing, with a message.
        drop(std::fs::create_dir_all(directory));
        let record = machine.to_record(model).map_err(failed)?;
        record.save(&path).map_err(failed)
    }

    /// Restores the monitors of an epoch.
    pub(super) fn load_watcher<M>(
        &self,
        watcher: &dyn StepWatcher<M>,
        epoch: usize,
    ) -> Result<(), StrategyError> {
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        let path = file(directory, MONITORS, epoch);
        let bytes = std::fs::read(&path).map_err(|error| {
            StrategyError(format!(
                "the monitors cannot resume without their record `{}`: {error}; resume from an epoch that has one, or \
                 train without monitors",
                path.display()
            ))
        })?;
        watcher.load(&bytes).map_err(|error| {
            let path = path.display();
            StrategyError(format!("the record `{path}` is refused: {error}"))
        })
    }

    pub(super) fn save_watcher<M>(
        &self,
        watcher: &dyn StepWatcher<M>,
        epoch: usize,
    ) -> Result<(), StrategyError> {
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        let path = file(directory, MONITORS, epoch);
        // If this fails, so does writing, with a message.
        drop(std::fs::create_dir_all(directory));
        let bytes = watcher.to_bytes().map_err(StrategyError)?;
        std::fs::write(&path, bytes).map_err(|error| {
            let path = path.display();
            StrategyError(format!(
                "the monitors cannot be written to `{path}`: {error}; choose another directory"
            ))
        })
    }

    /// Removes the records whose model was removed, as far as possible.
    ///
    /// Burn writes in the background and in order: once the model of a later epoch exists, a missing earlier one was
    /// removed.
    pub(super) fn remove_orphans(&self, epoch: usize) {
        let Some(directory) = &self.directory else {
            return;
        };
        let mut models = Vec::new();
        let mut records = Vec::new();
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            models.extend(epoch_of(&name, MODEL));
            for files in [RECORD, MONITORS] {
                records.extend(epoch_of(&name, files).map(|epoch| (files, epoch)));
            }
        }
        let newest = models.iter().copied().filter(|&model| model <= epoch).max();
        for (files, record) in records {
            if Some(record) < newest && !models.contains(&record) {
                drop(std::fs::remove_file(file(directory, files, record)));
            }
        }
    }
}

fn failed(error: OptimError) -> StrategyError {
    StrategyError(error.to_string())
}

/// As Burn's file checkpointer names its files.
fn file(directory: &Path, (name, extension): Files, epoch: usize) -> PathBuf {
    directory.join(format!("{name}-{epoch}.{extension}"))
}

fn epoch_of(file: &str, (name, extension): Files) -> Option<usize> {
    let epoch = file.strip_prefix(name)?.strip_prefix('-')?;
    let epoch = epoch.strip_suffix(extension)?.strip_suffix('.')?;
    epoch.parse().ok()
}

/// The part whose steps depend on the record, if any.
fn memory(config: &SamConfig) -> Option<&'static str> {
    let without_record = EntryPoint::Learner {
        has_loss: true,
        has_record: false,
    };
    config.unmet(without_record).map(|(_, feature)| feature)
}
