use super::{AscentContext, AscentRule, Perturbation};
use crate::OutOfRange;
use crate::optim::evaluation::{Evaluation, LossValue};
use crate::optim::{Need, OptimError};
use crate::range::{POSITIVE, ensure};
use crate::space::{LeafVector, ParamVector, Wide, mix};

/// [`Ascent::Projected`](super::Ascent::Projected).
#[derive(Debug, Clone)]
pub(super) struct Projected {
    pub(super) steps: usize,
    pub(super) restarts: usize,
    pub(super) step_size: f64,
}

impl AscentRule for Projected {
    type Memory = ();

    fn name(&self) -> &'static str {
        "projected ascent"
    }

    fn needs(&self) -> &'static [Need] {
        // Several starts are compared, and differ from step to step.
        if self.restarts > 1 {
            &[Need::Ball, Need::Evaluations, Need::Losses, Need::Memory]
        } else {
            &[Need::Ball, Need::Evaluations]
        }
    }

    fn validate(&self) -> Result<(), OutOfRange> {
        ensure("steps", self.steps as f64, 1.0..)?;
        ensure("restarts", self.restarts as f64, 1.0..)?;
        ensure("step_size", self.step_size, POSITIVE)
    }

    /// The best point of `max L(w + v)` over `|v| ≤ rho` that projected gradient ascent finds.
    ///
    /// Without losses points cannot be compared: one start then ends at its last point, and several are refused. A
    /// point whose loss or gradient is not finite ends the search, because no higher one can be found.
    fn ascend(&self, _: &(), context: &mut AscentContext<'_>) -> Result<Perturbation, OptimError> {
        let rho = context.rho;
        let space = context.gradient.space().clone();
        let mut start = Some(context.ascent_step());
        let mut best: Option<(Option<f64>, Evaluation)> = None;
        for restart in 0..self.restarts {
            let mut displacement = match start.take() {
                Some(start) => start,
                None => {
                    let direction = ParamVector::sphere(&space, mix(context.seed, restart as u64))?;
                    direction.to_leaves().scale(rho)
                }
            };
            for step in 0..self.steps {
                let Evaluation { loss, gradients } = context.evaluate(&displacement)?;
                let gradient = LeafVector::from_gradients(&space, &gradients)?;
                // One transfer reads the loss and the products for the norm of the next point.
                let pairs = [
                    (&gradient, &gradient),
                    (&displacement, &gradient),
                    (&displacement, &displacement),
                ];
                let (dots, value) = loss.read_with(&pairs)?;
                if value.is_none() && self.restarts > 1 {
                    return Err(Need::Losses.unmet("projected ascent with several starts"));
                }
                let found = || Evaluation {
                    loss: value.map_or(LossValue::Unknown, LossValue::Number),
                    gradients,
                };
                let square = dots[0];
                if !value.is_none_or(f64::is_finite) || !square.is_finite() {
                    return Ok(Perturbation::Evaluated(found()));
                }
                let is_better = match &best {
                    None | Some((None, _)) => true,
                    Some((highest, _)) => value > *highest,
                };
                if is_better {
                    best = Some((value, found()));
                }
                if step + 1 == self.steps || !square.is_positive() {
                    break;
                }
                let length = Wide::from(self.step_size * rho) / square.sqrt();
                let step = gradient.scale_wide(length);
                displacement = displacement.axpby(1.0, 1.0, &step)?;
                let mixed = length * dots[1];
                let norm = (dots[2] + mixed + mixed + length * length * square).sqrt();
                if norm.is_greater(Wide::from(rho)) {
                    displacement = displacement.scale((Wide::from(rho) / norm).value());
                }
            }
        }
        match best {
            Some((_, evaluation)) => Ok(Perturbation::Evaluated(evaluation)),
            None => Err(OptimError::MissingGradient),
        }
    }
}
