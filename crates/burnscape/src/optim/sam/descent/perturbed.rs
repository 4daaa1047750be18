use super::{Descent, DescentRule};
use crate::optim::sam::{SamPart, StepGradients};
use crate::space::SpaceError;

/// [`DescentGradient::Perturbed`](super::DescentGradient::Perturbed).
#[derive(Debug, Clone)]
pub(super) struct Perturbed;

impl SamPart for Perturbed {
    type Memory = ();

    fn name(&self) -> &'static str {
        "the perturbed gradient"
    }
}

impl DescentRule for Perturbed {
    fn descend(&self, _: &mut (), gradients: &StepGradients) -> Result<Descent, SpaceError> {
        let gradient = gradients.perturbed.as_ref().unwrap_or(&gradients.plain);
        Ok(Descent::only(gradient.clone()))
    }
}
