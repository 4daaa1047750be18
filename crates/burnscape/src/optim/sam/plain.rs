use super::ascent::{AscentContext, AscentRule, Perturbation};
use super::descent::{Descent, DescentRule};
use super::direction::DirectionRule;
use super::{SamPart, StepGradients};
use crate::optim::OptimError;
use crate::space::{LeafVector, SpaceError};

/// Plain SAM: along the gradient, in one step, to the gradient there.
#[derive(Debug, Clone)]
pub(super) struct Plain;

impl SamPart for Plain {
    type Memory = ();

    fn name(&self) -> &'static str {
        "plain SAM"
    }
}

impl DirectionRule for Plain {
    fn direction(&self, _: &(), gradient: &LeafVector) -> Result<LeafVector, SpaceError> {
        Ok(gradient.clone())
    }
}

impl AscentRule for Plain {
    fn ascend(&self, _: &(), context: &mut AscentContext<'_>) -> Result<Perturbation, OptimError> {
        let (vector, scale) = context.ascent_step.clone();
        Ok(Perturbation::Displacement { vector, scale })
    }
}

impl DescentRule for Plain {
    fn descend(&self, _: &(), gradients: &StepGradients) -> Result<Descent, SpaceError> {
        let gradient = gradients.perturbed.as_ref().unwrap_or(&gradients.plain);
        Ok(Descent::only(gradient.clone()))
    }
}
