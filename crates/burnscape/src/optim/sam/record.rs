//! Saving and resuming [`Sam`].

use std::collections::BTreeMap;

use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::Sam;
use super::machine::SamMachine;
use crate::optim::record::missing;
use crate::optim::{OptimError, OptimRecord};
use crate::space::{LeafVector, ParamSpace};

const KIND: &str = "sam";

/// The state of a [`SamMachine`], but for vectors, which are tensors of the record.
#[derive(Debug, Serialize, Deserialize)]
struct SamState {
    step: usize,
    parts: BTreeMap<String, SavedPart>,
}

impl SamMachine {
    pub(in crate::optim) fn to_record<M: Module>(
        &self,
        model: &M,
    ) -> Result<OptimRecord, OptimError> {
        let mut record = OptimRecord::new(KIND, model)?;
        let mut parts = BTreeMap::new();
        for (place, part) in self.parts.clone().each() {
            let saved = part.save()?;
            for SavedVector { name, vector, .. } in &saved.vectors {
                record = record.with_vector(&format!("{place}.{name}"), vector.as_ref())?;
            }
            parts.insert(place.to_string(), saved);
        }
        let state = SamState {
            step: self.step,
            parts,
        };
        record.with_state(&state)
    }

    pub(in crate::optim) fn load_record<M: Module>(
        &mut self,
        record: &OptimRecord,
        model: &M,
    ) -> Result<ParamSpace, OptimError> {
        let space = record.check(KIND, model)?;
        let mut state: SamState = record.state()?;
        let mut parts = self.parts.clone();
        for (place, part) in parts.each() {
            let saved = state.parts.get_mut(place);
            let saved = saved.ok_or_else(|| missing(place))?;
            for SavedVector { name, vector, .. } in &mut saved.vectors {
                // A vector of zeros has no tensors.
                let found = record.vector(&format!("{place}.{name}"), &space);
                *vector = found.or_else(|| Some(LeafVector::zeros(&space)));
            }
            *part = part.restored(saved)?;
        }
        self.parts = parts;
        self.step = state.step;
        Ok(space)
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

    /// Restores a saved state, for the parameters of `model`. They are matched by path and shape, so that the model may
    /// be a rebuilt one, or one from a file without Burn's identifiers.
    ///
    /// Training resumes bit for bit where it stopped, given the same configuration and base and the
    /// same batches in the same order.
    ///
    /// # Errors
    ///
    /// [`OptimError::OtherModel`] if paths or shapes differ. [`OptimError::Record`] for a record of another variant with a
    /// memory, of another version, and for an incomplete record.
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

/// The memory of a part as a record holds it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedPart {
    pub(super) name: String,
    pub(super) memory: Vec<u8>,
    pub(super) vectors: Vec<SavedVector>,
}

/// A vector of a memory. It goes into the record as tensors.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedVector {
    pub(super) name: String,
    /// Leaves that are not zero, so that a tensor that was lost is noticed.
    leaves: usize,
    #[serde(skip)]
    vector: Option<LeafVector>,
}

impl SavedVector {
    pub(super) fn new(name: &str, vector: &LeafVector) -> Self {
        Self {
            name: name.to_string(),
            leaves: num_present(vector),
            vector: Some(vector.clone()),
        }
    }

    /// The vector, if all of it was found.
    pub(super) fn complete(&self) -> Option<&LeafVector> {
        let is_complete = |vector: &&LeafVector| num_present(vector) == self.leaves;
        self.vector.as_ref().filter(is_complete)
    }
}

fn num_present(vector: &LeafVector) -> usize {
    vector.leaves().len() - vector.num_absent()
}
