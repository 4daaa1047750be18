use crate::range::ensure;
use serde::{Deserialize, Serialize};

use super::Descent;
use crate::OutOfRange;
use crate::optim::sam::StepGradients;
use crate::optim::sam::part::SamPart;
use crate::optim::sam::step_gradients::ratio;
use crate::optim::{Need, OptimError};
use crate::space::{LeafVector, SpaceError, Wide};

/// [`DescentGradient::Look`](super::DescentGradient::Look).
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) every: usize,
    pub(super) alpha: f64,
}

/// The direction of the last ascent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct LastLook {
    /// Steps so far in which the ascent was on.
    steps: usize,
    #[serde(skip)]
    kept: Option<LeafVector>,
    /// The squared norm of `kept`.
    square: Wide,
}

impl SamPart for Look {
    type Memory = LastLook;

    fn name(&self) -> &'static str {
        "LookSAM"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Memory]
    }

    fn validate(&self) -> Result<(), OutOfRange> {
        ensure("every", self.every as f64, 1.0..)?;
        ensure("alpha", self.alpha, 0.0..)
    }

    fn vectors(memory: &mut LastLook) -> Vec<(&'static str, &mut Option<LeafVector>)> {
        vec![("kept", &mut memory.kept)]
    }

    fn wants_second(&self, memory: &LastLook) -> bool {
        memory.steps.is_multiple_of(self.every) || memory.kept.is_none()
    }

    fn descend(&self, memory: &LastLook, gradients: &StepGradients) -> Result<Descent, SpaceError> {
        let g = &gradients.plain;
        let gradient = match (&gradients.perturbed, &memory.kept) {
            (Some(g_p), _) => g_p.clone(),
            (None, Some(kept)) => {
                let length = ratio(gradients.square, memory.square).sqrt().value();
                g.axpby(1.0, self.alpha * length, kept)?
            }
            (None, None) => g.clone(),
        };
        Ok(Descent::only(gradient))
    }

    fn remember(&self, memory: &mut LastLook, gradients: &StepGradients) -> Result<(), OptimError> {
        memory.steps += 1;
        if let Some((g, g_p, products)) = gradients.both() {
            let parallel = ratio(products.mixed, gradients.square).value();
            let kept = g_p.axpby(1.0, -parallel, g)?;
            memory.square = square(&kept, products.perturbed)?;
            memory.kept = Some(kept);
        }
        Ok(())
    }
}

/// The squared norm of the part of `g_p` that is kept. Where `g_p` is parallel to `g` it is rounding, which the next
/// steps would scale to the length of the gradient; it then counts as zero.
fn square(kept: &LeafVector, perturbed: Wide) -> Result<Wide, SpaceError> {
    let square = kept.wide_dot(kept)?;
    let leaves = kept.space().leaves().iter();
    let epsilon = leaves.map(|leaf| crate::space::epsilon(leaf.dtype()));
    // Each coordinate is rounded a few times on its way.
    let noise = Wide::from((8.0 * epsilon.fold(0.0, f64::max)).powi(2)) * perturbed;
    Ok(if square.is_greater(noise) {
        square
    } else {
        Wide::ZERO
    })
}
