use crate::range::ensure;
use serde::{Deserialize, Serialize};

use crate::OutOfRange;
use crate::optim::sam::StepGradients;
use crate::optim::sam::part::SamPart;
use crate::optim::{Need, OptimError};
use crate::space::{LeafVector, SpaceError};

/// [`AscentDirection::Friendly`](super::AscentDirection::Friendly).
#[derive(Debug, Clone)]
pub(super) struct Friendly {
    pub(super) sigma: f64,
    pub(super) momentum: f64,
}

/// The running average of the gradients.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Average {
    #[serde(skip)]
    average: Option<LeafVector>,
}

impl SamPart for Friendly {
    type Memory = Average;

    fn name(&self) -> &'static str {
        "Friendly SAM"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Memory]
    }

    fn validate(&self) -> Result<(), OutOfRange> {
        ensure("sigma", self.sigma, 0.0..)?;
        ensure("momentum", self.momentum, 0.0..1.0)
    }

    fn vectors(memory: &mut Average) -> Vec<(&'static str, &mut Option<LeafVector>)> {
        vec![("average", &mut memory.average)]
    }

    fn direction(&self, memory: &Average, gradient: &LeafVector) -> Result<LeafVector, SpaceError> {
        match &memory.average {
            None => gradient.axpby(1.0, -self.sigma, gradient),
            Some(average) => gradient.clone().widen().axpby(1.0, -self.sigma, average),
        }
    }

    /// Averages plain gradients: an average of the directions would settle at half the gradient.
    fn remember(&self, memory: &mut Average, gradients: &StepGradients) -> Result<(), OptimError> {
        // An average over many steps is kept in f32 where the parameters are narrower.
        let gradient = gradients.plain.clone().widen();
        memory.average = Some(match memory.average.take() {
            None => gradient,
            Some(average) => average.axpby(self.momentum, 1.0 - self.momentum, &gradient)?,
        });
        Ok(())
    }
}
