//! Ascents as another crate would write them.

use burnscape::OutOfRange;
use burnscape::optim::{Ascent, AscentContext, AscentRule, Need, OptimError, Perturbation};
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

impl AscentRule for Averaged {
    type Memory = Average;

    fn name(&self) -> &'static str {
        "an averaged ascent"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Memory]
    }

    fn validate(&self) -> Result<(), OutOfRange> {
        if (0.0..1.0).contains(&self.decay) {
            Ok(())
        } else {
            Err(OutOfRange::new(
                "decay",
                self.decay,
                "at least 0, less than 1",
            ))
        }
    }

    fn vectors(average: &mut Average) -> Vec<(&'static str, &mut Option<LeafVector>)> {
        vec![("gradient", &mut average.gradient)]
    }

    fn ascend(
        &self,
        average: &Average,
        context: &mut AscentContext<'_>,
    ) -> Result<Perturbation, OptimError> {
        let vector = match &average.gradient {
            Some(gradient) => gradient.axpby(self.decay, 1.0 - self.decay, context.gradient)?,
            None => context.gradient.clone(),
        };
        let norm = vector.norm()?;
        let scale = if norm > 0.0 { context.rho / norm } else { 0.0 };
        Ok(Perturbation::Displacement { vector, scale })
    }

    fn remember(
        &self,
        average: &mut Average,
        _gradient: &LeafVector,
        perturbed: Option<&LeafVector>,
    ) -> Result<(), OptimError> {
        average.steps += 1;
        average.gradient = match (&average.gradient, perturbed) {
            (Some(average), Some(found)) => {
                Some(average.axpby(self.decay, 1.0 - self.decay, found)?)
            }
            (_, found) => found.cloned(),
        };
        Ok(())
    }
}

/// Goes twice as far as SAM if the loss is higher there.
#[derive(Debug, Clone)]
pub(crate) struct Doubled;

impl AscentRule for Doubled {
    type Memory = ();

    fn name(&self) -> &'static str {
        "a doubled ascent"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Evaluations, Need::Losses]
    }

    fn ascend(&self, _: &(), context: &mut AscentContext<'_>) -> Result<Perturbation, OptimError> {
        let near = context.ascent_step();
        let mut at_near = context.evaluate(&near)?;
        let mut at_far = context.evaluate(&near.scale(2.0))?;
        let (feature, need) = (self.name(), Need::Losses);
        let (Some(low), Some(high)) = (at_near.loss()?, at_far.loss()?) else {
            return Err(OptimError::Unmet { feature, need });
        };
        let highest = if high > low { at_far } else { at_near };
        Ok(Perturbation::Evaluated(highest))
    }
}

pub(crate) fn averaged() -> Ascent {
    Ascent::custom(Averaged { decay: 0.5 })
}
