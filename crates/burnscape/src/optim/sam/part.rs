use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Need, StepGradients};
use crate::optim::{OptimConfigError, OptimError};
use crate::space::LeafVector;

/// A part of SAM: its name, the ranges of its settings, what it needs, and what it remembers from step to step.
///
/// [`AscentRule`](super::AscentRule) adds the formula, and has an example.
pub trait SamPart: Clone + Debug + Send + Sync + 'static {
    /// What the part remembers; `()` if nothing.
    type Memory: PartMemory;

    /// The name that errors and records use.
    fn name(&self) -> &'static str;

    /// What the part needs besides the two gradients of a step. A part with a memory needs [`Need::Memory`].
    fn needs(&self) -> &'static [Need] {
        &[]
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`OptimConfigError`] names the setting that is out of range.
    fn validate(&self) -> Result<(), OptimConfigError> {
        Ok(())
    }

    /// Updates the memory, after an active step that moves the weights. By default nothing is remembered.
    ///
    /// # Errors
    ///
    /// Any; the step then fails, and model and memories stay as they were.
    fn remember(
        &self,
        memory: &mut Self::Memory,
        gradients: &StepGradients,
    ) -> Result<(), OptimError> {
        let _ = (memory, gradients);
        Ok(())
    }
}

/// The memory of a [`SamPart`]: numbers that serde writes, and vectors that are saved beside them as tensors.
///
/// A field that is missing from a record is an error. A vector is an `Option<LeafVector>` with
/// `#[serde(skip)]`, listed by [`vectors`](Self::vectors).
pub trait PartMemory:
    Clone + Debug + Default + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Every vector under a name of its own; none by default.
    fn vectors(&mut self) -> Vec<(&'static str, &mut Option<LeafVector>)> {
        Vec::new()
    }
}

impl PartMemory for () {}

/// A part with its memory.
#[derive(Debug, Clone)]
pub(super) struct Remembering<P: SamPart> {
    pub(super) part: P,
    pub(super) memory: P::Memory,
}

impl<P: SamPart> Remembering<P> {
    pub(super) fn new(part: P) -> Self {
        Self {
            part,
            memory: P::Memory::default(),
        }
    }
}

/// The memory of a part as a record holds it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedPart {
    name: String,
    memory: Vec<u8>,
    pub(super) vectors: Vec<SavedVector>,
}

/// A vector of a memory. It goes into the record as tensors.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedVector {
    pub(super) name: String,
    /// Leaves that are not zero, so that a tensor that was lost is noticed.
    leaves: usize,
    #[serde(skip)]
    pub(super) vector: Option<LeafVector>,
}

impl SavedVector {
    fn new(name: &str, vector: &LeafVector) -> Self {
        Self {
            name: name.to_string(),
            leaves: num_present(vector),
            vector: Some(vector.clone()),
        }
    }

    /// The vector, if all of it was found.
    fn complete(&self) -> Option<&LeafVector> {
        let vector = self.vector.as_ref()?;
        (num_present(vector) == self.leaves).then_some(vector)
    }
}

fn num_present(vector: &LeafVector) -> usize {
    vector.leaves().len() - vector.num_absent()
}

/// What all parts have in common, whatever they remember.
pub(super) trait AnyPart: Debug + Send + Sync {
    fn name(&self) -> &'static str;

    fn needs(&self) -> &'static [Need];

    fn validate(&self) -> Result<(), OptimConfigError>;

    fn remember(&mut self, gradients: &StepGradients) -> Result<(), OptimError>;

    fn save(&self) -> Result<SavedPart, OptimError>;

    /// Restores the memory. On an error it stays as it was.
    fn load(&mut self, saved: &SavedPart) -> Result<(), OptimError>;
}

impl<P: SamPart> AnyPart for Remembering<P> {
    fn name(&self) -> &'static str {
        self.part.name()
    }

    fn needs(&self) -> &'static [Need] {
        self.part.needs()
    }

    fn validate(&self) -> Result<(), OptimConfigError> {
        self.part.validate()
    }

    fn remember(&mut self, gradients: &StepGradients) -> Result<(), OptimError> {
        self.part.remember(&mut self.memory, gradients)
    }

    fn save(&self) -> Result<SavedPart, OptimError> {
        let mut memory = self.memory.clone();
        let vectors = memory.vectors().into_iter();
        let vectors = vectors
            .filter_map(|(name, vector)| Some(SavedVector::new(name, vector.as_ref()?)))
            .collect();
        Ok(SavedPart {
            name: self.name().to_string(),
            memory: encode(&memory)?,
            vectors,
        })
    }

    fn load(&mut self, saved: &SavedPart) -> Result<(), OptimError> {
        let name = self.name();
        let refused = |message: String| OptimError::Record { message };
        if saved.name != name {
            // Parts that remember nothing may be exchanged in the middle of a run.
            let nothing = encode(&())?;
            if saved.memory == nothing && encode(&P::Memory::default())? == nothing {
                return Ok(());
            }
            return Err(refused(format!(
                "it has the memory of {} where this configuration has {name}; restore it with the \
                 configuration that saved it",
                saved.name
            )));
        }
        let mut memory: P::Memory = decode(&saved.memory, name)?;
        for (slot, place) in memory.vectors() {
            if let Some(saved) = saved.vectors.iter().find(|saved| saved.name == slot) {
                let vector = saved.complete().ok_or_else(|| {
                    refused(format!(
                        "the vector `{slot}` of {name} is incomplete; take another copy of the record"
                    ))
                })?;
                *place = Some(vector.clone());
            }
        }
        self.memory = memory;
        Ok(())
    }
}

/// MessagePack with the names of fields: exact for every number, and a field that is missing is noticed.
pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>, OptimError> {
    rmp_serde::to_vec_named(value).map_err(|error| OptimError::Record {
        message: error.to_string(),
    })
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8], owner: &str) -> Result<T, OptimError> {
    rmp_serde::from_slice(bytes).map_err(|error| OptimError::Record {
        message: format!("the memory of {owner} has another form: {error}"),
    })
}
