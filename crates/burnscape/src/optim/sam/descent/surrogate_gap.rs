use super::Descent;
use crate::OutOfRange;
use crate::optim::sam::StepGradients;
use crate::optim::sam::part::SamPart;
use crate::optim::sam::step_gradients::ratio;
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

    fn validate(&self) -> Result<(), OutOfRange> {
        ensure("alpha", self.alpha, 0.0..)
    }

    fn descend(&self, _: &(), gradients: &StepGradients) -> Result<Descent, SpaceError> {
        let Some((g, g_p, products)) = gradients.both() else {
            return Ok(Descent::only(gradients.plain.clone()));
        };
        let parallel = ratio(products.mixed, products.perturbed).value();
        let gradient = g_p.axpby(1.0 + self.alpha * parallel, -self.alpha, g)?;
        Ok(Descent::only(gradient))
    }
}
