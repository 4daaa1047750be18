use crate::optim::sam::part::{AnyPart, Remembering};
use crate::optim::sam::{SamPart, StepGradients};
use crate::space::{LeafVector, SpaceError};

/// Along which vector one ascent step goes.
pub(in crate::optim::sam) trait DirectionRule: SamPart {
    /// The direction, from the gradient at the weights and the memory as it was before this step.
    fn direction(
        &self,
        memory: &Self::Memory,
        gradient: &LeafVector,
    ) -> Result<LeafVector, SpaceError>;

    /// Updates the memory after a step that moves the weights.
    fn remember(
        &self,
        memory: &mut Self::Memory,
        gradients: &StepGradients,
    ) -> Result<(), SpaceError> {
        let _ = (memory, gradients);
        Ok(())
    }
}

/// A direction of any kind, with its memory.
pub(in crate::optim::sam) trait AnyDirection: AnyPart {
    fn direction(&self, gradient: &LeafVector) -> Result<LeafVector, SpaceError>;

    fn remember(&mut self, gradients: &StepGradients) -> Result<(), SpaceError>;

    fn boxed(&self) -> Box<dyn AnyDirection>;
}

impl<R: DirectionRule> AnyDirection for Remembering<R> {
    fn direction(&self, gradient: &LeafVector) -> Result<LeafVector, SpaceError> {
        self.part.direction(&self.memory, gradient)
    }

    fn remember(&mut self, gradients: &StepGradients) -> Result<(), SpaceError> {
        self.part.remember(&mut self.memory, gradients)
    }

    fn boxed(&self) -> Box<dyn AnyDirection> {
        Box::new(self.clone())
    }
}
