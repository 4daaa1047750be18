use std::fmt::Debug;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ascent::{AscentContext, Perturbation};
use super::descent::Descent;
use super::record::{SavedPart, SavedVector};
use super::{Need, StepGradients};
use crate::OutOfRange;
use crate::optim::OptimError;
use crate::optim::record::{decode, encode};
use crate::space::{LeafVector, ParamSpace, SpaceError};

/// A part of SAM: its settings, its needs, its memory, and the stages of a step that it changes. A stage that a
/// part does not define is that of plain SAM.
pub(super) trait SamPart: Clone + Debug + Send + Sync + 'static {
    /// The memory from step to step; `()` for none.
    type Memory: Clone + Debug + Default + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The name that errors and records use.
    fn name(&self) -> &'static str;

    fn needs(&self) -> &'static [Need] {
        &[]
    }

    fn validate(&self) -> Result<(), OutOfRange> {
        Ok(())
    }

    /// Every vector of the memory, by name.
    fn vectors(_memory: &mut Self::Memory) -> Vec<(&'static str, &mut Option<LeafVector>)> {
        Vec::new()
    }

    /// Along which vector one ascent step goes.
    fn direction(
        &self,
        _memory: &Self::Memory,
        gradient: &LeafVector,
    ) -> Result<LeafVector, SpaceError> {
        Ok(gradient.clone())
    }

    /// Where the second gradient is taken.
    fn ascend(
        &self,
        _memory: &Self::Memory,
        context: &mut AscentContext<'_>,
    ) -> Result<Perturbation, OptimError> {
        let (vector, scale) = context.ascent_step.clone();
        Ok(Perturbation::Displacement { vector, scale })
    }

    /// Whether this step ascends and takes a second gradient.
    fn wants_second(&self, _memory: &Self::Memory) -> bool {
        true
    }

    /// The gradient for the base optimizer, in a step in which the ascent is on.
    fn descend(
        &self,
        _memory: &Self::Memory,
        gradients: &StepGradients,
    ) -> Result<Descent, SpaceError> {
        let gradient = gradients.perturbed.as_ref().unwrap_or(&gradients.plain);
        Ok(Descent::only(gradient.clone()))
    }

    /// Updates the memory, after an active step that moves the weights.
    fn remember(
        &self,
        _memory: &mut Self::Memory,
        _gradients: &StepGradients,
    ) -> Result<(), OptimError> {
        Ok(())
    }
}

/// Plain SAM: along the gradient, in one step, to the gradient there.
#[derive(Debug, Clone)]
pub(super) struct Plain;

impl SamPart for Plain {
    type Memory = ();

    fn name(&self) -> &'static str {
        "plain SAM"
    }
}

/// A part of any type, with its memory. Memories change by replacement, so that a step changes all or none.
pub(super) trait AnyPart: Debug + Send + Sync {
    fn name(&self) -> &'static str;

    fn needs(&self) -> &'static [Need];

    fn validate(&self) -> Result<(), OutOfRange>;

    fn direction(&self, gradient: &LeafVector) -> Result<LeafVector, SpaceError>;

    fn ascend(&self, context: &mut AscentContext<'_>) -> Result<Perturbation, OptimError>;

    fn wants_second(&self) -> bool;

    fn descend(&self, gradients: &StepGradients) -> Result<Descent, SpaceError>;

    /// The part with the vectors of its memory in the space of a copy of the model on another device.
    fn on(&self, space: &ParamSpace) -> Result<Arc<dyn AnyPart>, SpaceError>;

    /// The part after a step.
    fn after(&self, gradients: &StepGradients) -> Result<Arc<dyn AnyPart>, OptimError>;

    fn save(&self) -> Result<SavedPart, OptimError>;

    /// The part with a saved memory.
    fn restored(&self, saved: &SavedPart) -> Result<Arc<dyn AnyPart>, OptimError>;
}

/// A part that remembers nothing yet.
pub(super) fn fresh(part: impl SamPart) -> Arc<dyn AnyPart> {
    with_memory(part, Default::default())
}

fn with_memory<P: SamPart>(part: P, memory: P::Memory) -> Arc<dyn AnyPart> {
    Arc::new(Remembering { part, memory })
}

#[derive(Debug)]
struct Remembering<P: SamPart> {
    part: P,
    memory: P::Memory,
}

impl<P: SamPart> AnyPart for Remembering<P> {
    fn name(&self) -> &'static str {
        self.part.name()
    }

    fn needs(&self) -> &'static [Need] {
        self.part.needs()
    }

    fn validate(&self) -> Result<(), OutOfRange> {
        self.part.validate()
    }

    fn direction(&self, gradient: &LeafVector) -> Result<LeafVector, SpaceError> {
        self.part.direction(&self.memory, gradient)
    }

    fn ascend(&self, context: &mut AscentContext<'_>) -> Result<Perturbation, OptimError> {
        self.part.ascend(&self.memory, context)
    }

    fn wants_second(&self) -> bool {
        self.part.wants_second(&self.memory)
    }

    fn descend(&self, gradients: &StepGradients) -> Result<Descent, SpaceError> {
        self.part.descend(&self.memory, gradients)
    }

    fn on(&self, space: &ParamSpace) -> Result<Arc<dyn AnyPart>, SpaceError> {
        let mut memory = self.memory.clone();
        for (_, vector) in P::vectors(&mut memory) {
            if let Some(known) = vector.take() {
                *vector = Some(known.on(space)?);
            }
        }
        Ok(with_memory(self.part.clone(), memory))
    }

    fn after(&self, gradients: &StepGradients) -> Result<Arc<dyn AnyPart>, OptimError> {
        let mut memory = self.memory.clone();
        self.part.remember(&mut memory, gradients)?;
        Ok(with_memory(self.part.clone(), memory))
    }

    fn save(&self) -> Result<SavedPart, OptimError> {
        let mut memory = self.memory.clone();
        let vectors = P::vectors(&mut memory).into_iter();
        let vectors = vectors
            .filter_map(|(name, vector)| Some(SavedVector::new(name, vector.as_ref()?)))
            .collect();
        Ok(SavedPart {
            name: self.name().to_string(),
            memory: encode(&memory)?,
            vectors,
        })
    }

    fn restored(&self, saved: &SavedPart) -> Result<Arc<dyn AnyPart>, OptimError> {
        let name = self.name();
        let refused = |message: String| OptimError::Record { message };
        if saved.name != name {
            // Parts that remember nothing may be exchanged in the middle of a run.
            let nothing = encode(&())?;
            if saved.memory == nothing && encode(&P::Memory::default())? == nothing {
                return Ok(with_memory(self.part.clone(), self.memory.clone()));
            }
            return Err(refused(format!(
                "it has the memory of {} where this configuration has {name}; restore it with the \
                 configuration that saved it",
                saved.name
            )));
        }
        let mut memory: P::Memory = decode(&saved.memory, name)?;
        for (slot, place) in P::vectors(&mut memory) {
            if let Some(saved) = saved.vectors.iter().find(|saved| saved.name == slot) {
                let vector = saved.complete().ok_or_else(|| {
                    refused(format!(
                        "the vector `{slot}` of {name} is incomplete; take another copy of the record"
                    ))
                })?;
                *place = Some(vector.clone());
            }
        }
        Ok(with_memory(self.part.clone(), memory))
    }
}
