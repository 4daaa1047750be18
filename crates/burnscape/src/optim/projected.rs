use burn::module::Module;

use super::OptimError;
use super::evaluation::{Evaluation, LossValue};
use crate::space::{LeafVector, ParamVector, Wide, mix};

/// The settings of one inner maximization.
pub(super) struct Search {
    pub(super) rho: f64,
    pub(super) steps: usize,
    pub(super) restarts: usize,
    pub(super) step_size: f64,
    pub(super) seed: u64,
}

/// The best point of `max L(w + v)` over `|v| ≤ rho` that projected gradient ascent finds, as the
/// evaluation there, and the number of gradients taken.
///
/// Without losses points cannot be compared: one start then ends at its last point, several are
/// refused. A point whose loss or gradient is not finite ends the search: it is what the maximum
/// looks like.
pub(super) fn maximize<M: Module>(
    model: &M,
    start: LeafVector,
    search: Search,
    evaluate: &mut dyn FnMut(&M) -> Result<Evaluation, OptimError>,
) -> Result<(Evaluation, usize), OptimError> {
    let space = start.space().clone();
    let mut start = Some(start);
    let mut best: Option<(Option<f64>, Evaluation)> = None;
    let mut taken = 0;
    for restart in 0..search.restarts {
        let mut displacement = match start.take() {
            Some(start) => start,
            None => {
                let direction = ParamVector::sphere(&space, mix(search.seed, restart as u64))?;
                direction.to_leaves().scale(search.rho)
            }
        };
        for step in 0..search.steps {
            let Evaluation { loss, gradients } = evaluate(&displacement.displace_own(model, 1.0))?;
            taken += 1;
            let gradient = LeafVector::from_gradients(&space, &gradients)?;
            let (scalars, known) = loss.split();
            // All that the next point's norm needs comes with the loss.
            let pairs = [
                (&gradient, &gradient),
                (&displacement, &gradient),
                (&displacement, &displacement),
            ];
            let (dots, values) = LeafVector::wide_dots(&pairs, &scalars)?;
            let value = known.or(values.first().copied());
            if value.is_none() && search.restarts > 1 {
                return Err(OptimError::NeedsLoss {
                    feature: "projected ascent with several starts",
                });
            }
            let found = || Evaluation {
                loss: value.map_or(LossValue::Unknown, LossValue::Number),
                gradients,
            };
            let square = dots[0];
            if !value.is_none_or(f64::is_finite) || !square.is_finite() {
                return Ok((found(), taken));
            }
            let is_better = match &best {
                None | Some((None, _)) => true,
                Some((highest, _)) => value > *highest,
            };
            if is_better {
                best = Some((value, found()));
            }
            if step + 1 == search.steps || !square.is_positive() {
                break;
            }
            let length = Wide::from(search.step_size * search.rho) / square.sqrt();
            let step = gradient.scale_wide(length);
            displacement = displacement.linear(1.0, 1.0, &step)?;
            let mixed = length * dots[1];
            let norm = (dots[2] + mixed + mixed + length * length * square).sqrt();
            if norm.is_greater(Wide::from(search.rho)) {
                displacement = displacement.scale((Wide::from(search.rho) / norm).value());
            }
        }
    }
    match best {
        Some((_, evaluation)) => Ok((evaluation, taken)),
        None => Err(OptimError::MissingGradient),
    }
}
