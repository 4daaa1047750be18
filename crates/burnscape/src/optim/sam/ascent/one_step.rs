use super::{AscentContext, AscentRule, Perturbation};
use crate::optim::OptimError;
use crate::optim::sam::SamPart;

/// [`Ascent::OneStep`](super::Ascent::OneStep).
#[derive(Debug, Clone)]
pub(super) struct OneStep;

impl SamPart for OneStep {
    type Memory = ();

    fn name(&self) -> &'static str {
        "one ascent step"
    }
}

impl AscentRule for OneStep {
    fn ascend(&self, _: &(), context: &mut AscentContext<'_>) -> Result<Perturbation, OptimError> {
        let (vector, scale) = context.ascent_step.clone();
        Ok(Perturbation::Displacement { vector, scale })
    }
}
