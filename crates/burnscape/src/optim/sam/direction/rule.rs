use crate::optim::sam::SamPart;
use crate::optim::sam::part::{AnyPart, Remembering};
use crate::space::{LeafVector, SpaceError};

/// Along which vector one ascent step goes.
pub(in crate::optim::sam) trait DirectionRule: SamPart {
    /// The direction, from the gradient at the weights.
    fn direction(
        &self,
        memory: &Self::Memory,
        gradient: &LeafVector,
    ) -> Result<LeafVector, SpaceError>;
}

/// A direction of any kind, with its memory.
pub(in crate::optim::sam) trait AnyDirection: AnyPart {
    fn direction(&self, gradient: &LeafVector) -> Result<LeafVector, SpaceError>;

    fn boxed(&self) -> Box<dyn AnyDirection>;
}

impl<R: DirectionRule> AnyDirection for Remembering<R> {
    fn direction(&self, gradient: &LeafVector) -> Result<LeafVector, SpaceError> {
        self.part.direction(&self.memory, gradient)
    }

    fn boxed(&self) -> Box<dyn AnyDirection> {
        Box::new(self.clone())
    }
}
