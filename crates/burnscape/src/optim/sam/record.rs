//! Saving and resuming [`Sam`].

use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::Sam;
use super::machine::SamMachine;
use super::part::{SavedPart, decode, encode};
use crate::optim::{OptimError, OptimRecord};
use crate::space::ParamSpace;

const KIND: &str = "sam";
const STATE: &str = "state";

/// What this version of the library writes and reads. Version 1 had a list of numbers, of which a missing one
/// was read as zero.
const VERSION: u32 = 2;

/// The state of a [`SamMachine`], but for vectors, which are tensors of the record.
#[derive(Debug, Serialize, Deserialize)]
struct SamState {
    version: u32,
    step: usize,
    direction: SavedPart,
    ascent: SavedPart,
    descent: SavedPart,
}

/// What every version begins with.
#[derive(Debug, Deserialize)]
struct Versioned {
    version: u32,
}

impl SamMachine {
    pub(in crate::optim) fn to_record<M: Module>(
        &self,
        model: &M,
    ) -> Result<OptimRecord, OptimError> {
        let (direction, of_direction) = self.parts.direction.save()?;
        let (ascent, of_ascent) = self.parts.ascent.save()?;
        let (descent, of_descent) = self.parts.descent.save()?;
        let state = SamState {
            version: VERSION,
            step: self.step,
            direction,
            ascent,
            descent,
        };
        let mut record = OptimRecord::new(KIND, model)?.with_bytes(STATE, encode(&state)?);
        for (part, vectors) in [
            ("direction", of_direction),
            ("ascent", of_ascent),
            ("descent", of_descent),
        ] {
            for (name, vector) in vectors {
                record = record.with_vector(&format!("{part}.{name}"), Some(&vector))?;
            }
        }
        Ok(record)
    }

    pub(in crate::optim) fn load_record<M: Module>(
        &mut self,
        record: &OptimRecord,
        model: &M,
    ) -> Result<ParamSpace, OptimError> {
        let space = record.check(KIND, model)?;
        let state = state(record)?;
        let vector = |part: &str, name: &str| record.vector(&format!("{part}.{name}"), &space);
        let mut parts = self.parts.clone();
        let of_direction = |name: &str| vector("direction", name);
        parts.direction.load(&state.direction, &of_direction)?;
        let of_ascent = |name: &str| vector("ascent", name);
        parts.ascent.load(&state.ascent, &of_ascent)?;
        let of_descent = |name: &str| vector("descent", name);
        parts.descent.load(&state.descent, &of_descent)?;
        self.parts = parts;
        self.step = state.step;
        Ok(space)
    }
}

fn state(record: &OptimRecord) -> Result<SamState, OptimError> {
    let version = match record.bytes(STATE) {
        Some(bytes) => decode::<Versioned>(bytes, "the optimizer")?.version,
        None => 1,
    };
    match record.bytes(STATE) {
        Some(bytes) if version == VERSION => decode(bytes, "the optimizer"),
        _ => Err(OptimError::Record {
            message: format!(
                "its format is version {version}, and this version of the library reads version {VERSION}; \
                 resume with the version that wrote it, or start a new optimizer at the saved model"
            ),
        }),
    }
}

impl Sam {
    /// The state of this optimizer and of its base, for the parameters of `model`.
    ///
    /// # Errors
    ///
    /// [`OptimError::Record`], [`OptimError::Space`].
    pub fn to_record<M: Module>(&self, model: &M) -> Result<OptimRecord, OptimError> {
        self.machine.to_record(model)?.with_base(&self.base)
    }

    /// Restores a saved state, for the parameters of `model`: they are matched by path and shape, so that
    /// the model may have been built anew, or read from a file without Burn's identifiers.
    ///
    /// Training resumes bit for bit where it stopped, given the same configuration and base and the
    /// same batches in the same order.
    ///
    /// # Errors
    ///
    /// [`OptimError::OtherModel`] if paths or shapes differ. [`OptimError::Record`] for a record of another
    /// variant with a memory, of another version, and one in which something is missing.
    pub fn load_record<M: Module>(
        mut self,
        record: OptimRecord,
        model: &M,
    ) -> Result<Self, OptimError> {
        let space = self.machine.load_record(&record, model)?;
        self.base = record.load_base(self.base, &space)?;
        Ok(self)
    }
}
