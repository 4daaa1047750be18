use burn::module::Module;

use super::OptimError;
use super::evaluation::{Evaluation, LossValue};
use super::seed::mix;
use crate::space::{LeafVector, ParamVector};

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
/// A point whose loss or gradient is not finite ends the search: it is what the maximum looks like.
pub(super) fn maximize<M: Module>(
    model: &M,
    start: LeafVector,
    search: Search,
    evaluate: &mut dyn FnMut(&M) -> Result<Evaluation, OptimError>,
) -> Result<(Evaluation, usize), OptimError> {
    let space = start.space().clone();
    let mut best: Option<(f64, Evaluation)> = None;
    let mut taken = 0;
    for restart in 0..search.restarts {
        let mut displacement = match restart {
            0 => start.clone(),
            _ => {
                let direction = ParamVector::sphere(&space, mix(search.seed, restart as u64))?;
                direction.to_leaves().scale(search.rho)
            }
        };
        for step in 0..search.steps {
            let Evaluation { loss, gradients } = evaluate(&displacement.displace(model, 1.0)?)?;
            taken += 1;
            let gradient = LeafVector::from_gradients(&space, &gradients)?;
            let (scalars, known) = loss.split();
            let (squares, values) = LeafVector::dots(&[(&gradient, &gradient)], &scalars)?;
            // Without a loss the last point of the first start is as good as any.
            let value = known.or(values.first().copied()).unwrap_or(taken as f64);
            let found = || Evaluation {
                loss: LossValue::Number(value),
                gradients,
            };
            if !value.is_finite() || !squares[0].is_finite() {
                return Ok((found(), taken));
            }
            if best.as_ref().is_none_or(|(highest, _)| value > *highest) {
                best = Some((value, found()));
            }
            let is_last = step + 1 == search.steps;
            if is_last || squares[0] == 0.0 {
                break;
            }
            let length = search.step_size * search.rho / squares[0].sqrt();
            displacement = displacement.linear(1.0, length, &gradient)?;
            let norm = displacement.norm()?;
            if norm > search.rho {
                displacement = displacement.scale(search.rho / norm);
            }
        }
    }
    match best {
        Some((_, evaluation)) => Ok((evaluation, taken)),
        None => Err(OptimError::MissingGradient),
    }
}
