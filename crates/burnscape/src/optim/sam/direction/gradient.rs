use super::DirectionRule;
use crate::optim::sam::SamPart;
use crate::space::{LeafVector, SpaceError};

/// [`AscentDirection::Gradient`](super::AscentDirection::Gradient).
#[derive(Debug, Clone)]
pub(super) struct Gradient;

impl SamPart for Gradient {
    type Memory = ();

    fn name(&self) -> &'static str {
        "the gradient"
    }
}

impl DirectionRule for Gradient {
    fn direction(&self, _: &(), gradient: &LeafVector) -> Result<LeafVector, SpaceError> {
        Ok(gradient.clone())
    }
}
