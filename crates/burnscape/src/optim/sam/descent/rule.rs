use crate::optim::sam::part::{AnyPart, Remembering};
use crate::optim::sam::{SamPart, StepGradients};
use crate::space::{LeafVector, SpaceError};

/// Which gradient is handed to the base optimizer, in a step in which the ascent is on.
pub(in crate::optim::sam) trait DescentRule: SamPart {
    /// Whether this step ascends and takes a second gradient.
    fn wants_second(&self, memory: &Self::Memory) -> bool {
        let _ = memory;
        true
    }

    /// The gradient.
    fn descend(
        &self,
        memory: &Self::Memory,
        gradients: &StepGradients,
    ) -> Result<Descent, SpaceError>;
}

/// What is handed on.
#[derive(Debug)]
pub(in crate::optim) struct Descent {
    /// For the base optimizer.
    pub(in crate::optim) gradient: LeafVector,
    /// Added to the weights after the base step, times minus the learning rate.
    pub(in crate::optim) shift: Option<LeafVector>,
}

impl Descent {
    pub(in crate::optim::sam) fn only(gradient: LeafVector) -> Self {
        Self {
            gradient,
            shift: None,
        }
    }
}

/// A descent of any kind, with its memory.
pub(in crate::optim::sam) trait AnyDescent: AnyPart {
    fn wants_second(&self) -> bool;

    fn descend(&self, gradients: &StepGradients) -> Result<Descent, SpaceError>;

    fn boxed(&self) -> Box<dyn AnyDescent>;
}

impl<R: DescentRule> AnyDescent for Remembering<R> {
    fn wants_second(&self) -> bool {
        self.part.wants_second(&self.memory)
    }

    fn descend(&self, gradients: &StepGradients) -> Result<Descent, SpaceError> {
        self.part.descend(&self.memory, gradients)
    }

    fn boxed(&self) -> Box<dyn AnyDescent> {
        Box::new(self.clone())
    }
}
