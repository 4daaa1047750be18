use std::path::{Path, PathBuf};

use burn::module::Module;

use super::error::StrategyError;
use crate::optim::core::SamCore;
use crate::optim::{Ascent, Combination, OptimError, OptimRecord, RhoSchedule, SamConfig, Source};

/// The records of a sharpness-aware optimizer beside Burn's checkpoints: `sam-{epoch}.bpk`.
pub(super) struct Checkpoints<'a> {
    pub(super) directory: Option<&'a Path>,
}

const RECORD: &str = "sam";
const MODEL: &str = "model";

impl Checkpoints<'_> {
    /// Refuses to lose a memory silently.
    pub(super) fn check(&self, config: &SamConfig) -> Result<(), StrategyError> {
        match (self.directory, memory(config)) {
            (None, Some(feature)) => Err(StrategyError::NoDirectory { feature }),
            _ => Ok(()),
        }
    }

    /// Takes up the state of an epoch. A configuration without a memory does without a record.
    pub(super) fn load<M: Module>(
        &self,
        core: &mut SamCore,
        model: &M,
        epoch: usize,
    ) -> Result<(), StrategyError> {
        let Some(directory) = self.directory else {
            return Ok(());
        };
        let path = file(directory, RECORD, epoch);
        if !path.exists() {
            return match memory(&core.config) {
                Some(feature) => Err(StrategyError::MissingRecord { feature, path }),
                None => Ok(()),
            };
        }
        OptimRecord::load(&path)
            .and_then(|record| core.load_record(&record, model).map(drop))
            .map_err(|error| refused(path, error))
    }

    pub(super) fn save<M: Module>(
        &self,
        core: &SamCore,
        model: &M,
        epoch: usize,
    ) -> Result<(), StrategyError> {
        let Some(directory) = self.directory else {
            return Ok(());
        };
        let path = file(directory, RECORD, epoch);
        // Should this fail, so does writing, which says why.
        drop(std::fs::create_dir_all(directory));
        core.to_record(model)
            .and_then(|record| record.save(&path))
            .map_err(|error| refused(path, error))
    }

    /// Removes the records whose model is gone, as far as possible.
    ///
    /// Burn writes in the background and in order: once the model of a later epoch is there, an
    /// earlier one that is not will not come any more.
    pub(super) fn remove_orphans(&self, epoch: usize) {
        let Some(directory) = self.directory else {
            return;
        };
        let mut models = Vec::new();
        let mut records = Vec::new();
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            models.extend(epoch_of(&name, MODEL));
            records.extend(epoch_of(&name, RECORD));
        }
        let newest = models.iter().copied().filter(|&model| model <= epoch).max();
        for record in records {
            if Some(record) < newest && !models.contains(&record) {
                drop(std::fs::remove_file(file(directory, RECORD, record)));
            }
        }
    }
}

fn refused(path: PathBuf, error: OptimError) -> StrategyError {
    let error = Box::new(error);
    StrategyError::Record { path, error }
}

/// As Burn's file checkpointer names its files.
fn file(directory: &Path, name: &str, epoch: usize) -> PathBuf {
    directory.join(format!("{name}-{epoch}.bpk"))
}

fn epoch_of(file: &str, name: &str) -> Option<usize> {
    let epoch = file.strip_prefix(name)?.strip_prefix('-')?;
    epoch.strip_suffix(".bpk")?.parse().ok()
}

/// Which part would act differently without the record, if any.
fn memory(config: &SamConfig) -> Option<&'static str> {
    let counts_steps = matches!(
        config.schedule,
        RhoSchedule::Linear { .. } | RhoSchedule::Cosine { .. }
    );
    let has_random_starts =
        matches!(config.ascent, Ascent::Projected { restarts, .. } if restarts > 1);
    let parts = [
        (config.source != Source::Gradient, "Friendly SAM"),
        (
            matches!(config.combination, Combination::Look { .. }),
            "LookSAM",
        ),
        (counts_steps, "a schedule of the radius"),
        (config.window.is_some(), "a window"),
        (config.mask.is_some(), "a mask"),
        (config.draws_seed.is_some(), "`draws_seed`"),
        (has_random_starts, "a projected ascent from random starts"),
    ];
    let mut parts = parts.into_iter();
    parts
        .find(|(is_set, _)| *is_set)
        .map(|(_, feature)| feature)
}
