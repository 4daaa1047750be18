use super::Descent;
use crate::OutOfRange;
use crate::optim::Need;
use crate::optim::sam::StepGradients;
use crate::optim::sam::part::SamPart;
use crate::range::ensure;
use crate::space::SpaceError;

/// [`DescentGradient::Weighted`](super::DescentGradient::Weighted).
#[derive(Debug, Clone)]
pub(super) struct Weighted {
    pub(super) gamma: f64,
    pub(super) decoupled: bool,
}

impl SamPart for Weighted {
    type Memory = ();

    fn name(&self) -> &'static str {
        if self.decoupled {
            "decoupled WSAM"
        } else {
            "WSAM"
        }
    }

    fn needs(&self) -> &'static [Need] {
        if self.decoupled {
            &[Need::LearningRate, Need::Weights]
        } else {
            &[]
        }
    }

    fn validate(&self) -> Result<(), OutOfRange> {
        ensure("gamma", self.gamma, 0.0..1.0)
    }

    fn descend(&self, _: &(), gradients: &StepGradients) -> Result<Descent, SpaceError> {
        let Some((g, g_p, _)) = gradients.both() else {
            return Ok(Descent::only(gradients.plain.clone()));
        };
        let a = self.gamma / (1.0 - self.gamma);
        if self.decoupled {
            Ok(Descent {
                gradient: g.clone(),
                shift: Some(g_p.axpby(a, -a, g)?),
            })
        } else {
            Ok(Descent::only(g_p.axpby(a, 1.0 - a, g)?))
        }
    }
}
