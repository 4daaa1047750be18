use super::{Descent, DescentRule};
use crate::optim::OptimConfigError;
use crate::optim::sam::step_gradients::ratio;
use crate::optim::sam::{SamPart, StepGradients};
use crate::range::ensure;
use crate::space::SpaceError;

/// [`DescentGradient::SurrogateGap`](super::DescentGradient::SurrogateGap).
#[derive(Debug, Clone)]
pub(super) struct SurrogateGap {
    pub(super) alpha: f64,
}

impl SamPart for SurrogateGap {
    type Memory = ();

    fn name(&self) -> &'static str {
        "the surrogate gap"
    }

    fn validate(&self) -> Result<(), OptimConfigError> {
        Ok(ensure("alpha", self.alpha, 0.0..)?)
    }
}

impl DescentRule for SurrogateGap {
    fn descend(&self, _: &(), gradients: &StepGradients) -> Result<Descent, SpaceError> {
        let Some((g, g_p, products)) = gradients.both() else {
            return Ok(Descent::only(gradients.plain.clone()));
        };
        let parallel = ratio(products.mixed, products.perturbed).value();
        let gradient = g_p.axpby(1.0 + self.alpha * parallel, -self.alpha, g)?;
        Ok(Descent::only(gradient))
    }
}
