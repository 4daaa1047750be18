use std::path::Path;

use burn::optim::lr_scheduler::LrSchedulerRecord;
use burn::tensor::{Bytes, DType};
use burn_pack::{Reader, Writer};

use super::PathError;
use crate::optim::{OptimError, OptimRecord};

/// The saved state of a [`CurveFitter`](super::CurveFitter), in burnpack, Burn's own container
/// format.
#[derive(Debug, Clone)]
pub struct FitCheckpoint {
    points: OptimRecord,
    optimizer: OptimRecord,
    scheduler: LrSchedulerRecord,
}

const PARTS: [&str; 3] = ["points", "optimizer", "scheduler"];

impl FitCheckpoint {
    pub(super) fn new(
        points: OptimRecord,
        optimizer: OptimRecord,
        scheduler: LrSchedulerRecord,
    ) -> Result<Self, PathError> {
        Ok(Self {
            points,
            optimizer,
            scheduler,
        })
    }

    pub(super) fn into_parts(self) -> (OptimRecord, OptimRecord, LrSchedulerRecord) {
        (self.points, self.optimizer, self.scheduler)
    }

    /// Writes the checkpoint into memory.
    ///
    /// # Errors
    ///
    /// [`OptimError::Record`].
    pub fn into_bytes(self) -> Result<Bytes, PathError> {
        Ok(self.writer()?.into_bytes().map_err(failed)?)
    }

    /// Reads a checkpoint from memory.
    ///
    /// # Errors
    ///
    /// [`OptimError::Record`].
    pub fn from_bytes(bytes: Bytes) -> Result<Self, PathError> {
        Self::read(Reader::from_bytes(bytes).map_err(failed)?)
    }

    /// Writes the checkpoint to a file.
    ///
    /// # Errors
    ///
    /// [`OptimError::Record`].
    pub fn save(self, path: impl AsRef<Path>) -> Result<(), PathError> {
        Ok(self.writer()?.write_to_file(path).map_err(failed)?)
    }

    /// Reads a checkpoint from a file.
    ///
    /// # Errors
    ///
    /// [`OptimError::Record`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, PathError> {
        Self::read(Reader::from_file(path).map_err(failed)?)
    }

    fn writer(self) -> Result<Writer, PathError> {
        let parts = [
            self.points.into_bytes()?,
            self.optimizer.into_bytes()?,
            self.scheduler.into_bytes().map_err(failed)?,
        ];
        let tensors = PARTS.iter().zip(parts).map(|(name, bytes)| {
            let shape = vec![bytes.len()];
            burn_pack::Tensor::new((*name).into(), DType::U8, shape, None, bytes)
        });
        Ok(Writer::new(tensors.collect()))
    }

    fn read(reader: Reader) -> Result<Self, PathError> {
        let mut parts = [None, None, None];
        for tensor in reader.into_tensors().map_err(failed)? {
            let (name, _, _, _, bytes) = tensor.into_parts().map_err(failed)?;
            if let Some(index) = PARTS.iter().position(|part| *part == name) {
                parts[index] = Some(Bytes::from_bytes_vec(bytes.to_vec()));
            }
        }
        let [Some(points), Some(optimizer), Some(scheduler)] = parts else {
            return Err(PathError::OtherFit {
                difference: "it lacks control points, optimizer or scheduler".to_string(),
            });
        };
        Ok(Self {
            points: OptimRecord::from_bytes(points)?,
            optimizer: OptimRecord::from_bytes(optimizer)?,
            scheduler: LrSchedulerRecord::from_bytes(scheduler).map_err(failed)?,
        })
    }
}

fn failed(error: impl std::fmt::Debug) -> OptimError {
    OptimError::Record {
        message: format!("{error:?}"),
    }
}
