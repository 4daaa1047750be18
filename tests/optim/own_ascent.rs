//! An ascent of one's own, as another crate would write it.

use burnscape::OutOfRange;
use burnscape::optim::{
    Ascent, AscentContext, AscentRule, Need, OptimConfigError, OptimError, PartMemory,
    Perturbation, SamPart, StepGradients,
};
use burnscape::space::LeafVector;
use serde::{Deserialize, Serialize};

/// Ascends along a running average of gradients at displaced weights.
#[derive(Debug, Clone)]
pub(crate) struct Averaged {
    pub(crate) decay: f64,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Average {
    steps: usize,
    #[serde(skip)]
    gradient: Option<LeafVector>,
}

impl PartMemory for Average {
    fn vectors(&mut self) -> Vec<(&'static str, &mut Option<LeafVector>)> {
        vec![("gradient", &mut self.gradient)]
    }
}

impl SamPart for Averaged {
    type Memory = Average;

    fn name(&self) -> &'static str {
        "an averaged ascent"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Memory]
    }

    fn validate(&self) -> Result<(), OptimConfigError> {
        if (0.0..1.0).contains(&self.decay) {
            Ok(())
        } else {
            Err(OutOfRange::new("decay", self.decay, "at least 0, less than 1").into())
        }
    }

    fn remember(&self, average: &mut Average, gradients: &StepGradients) -> Result<(), OptimError> {
        average.steps += 1;
        average.gradient = match (&average.gradient, &gradients.perturbed) {
            (Some(average), Some(found)) => {
                Some(average.axpby(self.decay, 1.0 - self.decay, found)?)
            }
            (_, found) => found.clone(),
        };
        Ok(())
    }
}

impl AscentRule for Averaged {
    fn ascend(
        &self,
        average: &Average,
        context: &mut AscentContext<'_>,
    ) -> Result<Perturbation, OptimError> {
        let vector = match &average.gradient {
            Some(gradient) => gradient.axpby(self.decay, 1.0 - self.decay, context.gradient())?,
            None => context.gradient().clone(),
        };
        let norm = vector.norm()?;
        let scale = if norm > 0.0 {
            context.rho() / norm
        } else {
            0.0
        };
        Ok(Perturbation::Displacement { vector, scale })
    }
}

/// Goes twice as far as SAM if the loss is higher there.
#[derive(Debug, Clone)]
pub(crate) struct Doubled;

impl SamPart for Doubled {
    type Memory = ();

    fn name(&self) -> &'static str {
        "a doubled ascent"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Evaluations, Need::Losses]
    }
}

impl AscentRule for Doubled {
    fn ascend(&self, _: &(), context: &mut AscentContext<'_>) -> Result<Perturbation, OptimError> {
        let near = context.ascent_step();
        let mut at_near = context.evaluate(&near)?;
        let mut at_far = context.evaluate(&near.scale(2.0))?;
        let feature = "a doubled ascent";
        let (Some(low), Some(high)) = (at_near.loss()?, at_far.loss()?) else {
            return Err(OptimError::NeedsLoss { feature });
        };
        let highest = if high > low { at_far } else { at_near };
        Ok(Perturbation::Evaluated(highest))
    }
}

pub(crate) fn averaged() -> Ascent {
    Ascent::custom(Averaged { decay: 0.5 })
}
