use std::ops::ControlFlow;

use super::controller::{Controller, Tolerances};
use super::first_step::first_step;
use super::{Flow, FlowConfig, FlowStep};
use crate::{KrylovFault, Outcome, VectorSpace};

/// Runs a flow whose settings are in range.
pub(super) fn integrate<V, E>(
    config: &FlowConfig,
    start: V,
    field: &mut impl FnMut(f64, &V) -> Result<V, E>,
    accepted: &mut impl FnMut(&mut FlowStep<V>) -> Result<ControlFlow<()>, E>,
) -> Result<Flow<V>, E>
where
    V: VectorSpace,
    E: From<V::Error>,
{
    let fault = |fault: KrylovFault| E::from(V::Error::from(fault));
    let mut size = start.norm()?;
    KrylovFault::ensure_finite("start", size).map_err(fault)?;
    let (tableau, order) = (config.method.tableau(), config.method.order());
    let each = config.method.evaluations_per_step();
    let at_first = 1 + usize::from(config.first_step.is_none());
    if config.end_time == 0.0 || config.max_evaluations < at_first + each {
        return Ok(Flow {
            time: 0.0,
            value: start,
            num_accepted: 0,
            num_rejected: 0,
            num_evaluations: 0,
            outcome: Outcome::of(config.end_time == 0.0, false),
        });
    }
    let slope = field(0.0, &start)?;
    V::check_same(&start.space(), &slope.space())?;
    let steepness = slope.norm()?;
    if !steepness.is_finite() {
        return Err(fault(KrylovFault::NonFiniteField { time: 0.0 }));
    }
    let num_coordinates = V::dimension(&start.space()) as f64;
    let tolerances = Tolerances {
        absolute: config.absolute * num_coordinates.sqrt(),
        relative: config.relative.max(100.0 * start.epsilon()),
    };
    let mut limit = config.max_step;
    let mut length = match config.first_step {
        Some(length) => length,
        None => {
            let longest = limit.min(config.end_time);
            let (value, slope) = ((&start, size), (&slope, steepness));
            first_step(value, slope, tolerances, order, longest, field)?
        }
    };
    let mut controller = Controller::new(order);
    let (mut time, mut value, mut stages) = (0.0_f64, start, vec![slope]);
    let (mut num_accepted, mut num_rejected, mut num_evaluations) = (0, 0, at_first);
    let (mut is_broken, mut is_stopped) = (false, false);
    while time < config.end_time && !is_stopped && num_evaluations + each <= config.max_evaluations
    {
        let wanted = length.min(limit);
        let end = end_of_step(time, wanted, config.end_time);
        let spacing = time.next_up() - time;
        if end < config.end_time && end - time < 10.0 * spacing {
            return Err(fault(if is_broken {
                KrylovFault::NonFiniteField { time }
            } else {
                KrylovFault::StepTooShort { time, step: wanted }
            }));
        }
        let attempt = tableau.attempt([time, end], &value, &mut stages, field)?;
        num_evaluations += each;
        let next_size = attempt.value.norm()?;
        is_broken = !(attempt.error.is_finite() && next_size.is_finite());
        let error = if is_broken {
            f64::INFINITY
        } else {
            tolerances.ratio(attempt.error, size.max(next_size))
        };
        if error > 1.0 {
            num_rejected += 1;
            stages.truncate(1);
            length = (end - time) * controller.rejected(error);
            continue;
        }
        num_accepted += 1;
        length = (end - time) * controller.accepted(error);
        let mut step = FlowStep {
            method: config.method,
            times: [time, end],
            values: [value, attempt.value],
            stages,
            slope: attempt.slope,
            num_evaluations,
            limit: None,
        };
        is_stopped = accepted(&mut step)?.is_break();
        if let Some(longest) = step.limit {
            ensure_longest("limit_next", longest).map_err(fault)?;
            limit = longest;
        }
        let [_, next] = step.values;
        (time, size, value, stages) = (end, next_size, next, vec![step.slope]);
    }
    Ok(Flow {
        time,
        value,
        num_accepted,
        num_rejected,
        num_evaluations,
        outcome: Outcome::of(time >= config.end_time, is_stopped),
    })
}

/// Refuses a longest step that is not positive. It may be infinite.
pub(super) fn ensure_longest(name: &'static str, length: f64) -> Result<(), KrylovFault> {
    if length > 0.0 {
        return Ok(());
    }
    Err(KrylovFault::OutOfBounds {
        name,
        value: length,
        allowed: "a positive number, infinite for steps of any length",
    })
}

/// The end of a step of the wanted length, or of one a little shorter, so that no short step is left for the end.
fn end_of_step(time: f64, wanted: f64, end_time: f64) -> f64 {
    let rest = end_time - time;
    // Rounding must not split the last of equal steps.
    if wanted * (1.0 + 1e-12) >= rest {
        end_time
    } else if 2.0 * wanted > rest {
        time + 0.5 * rest
    } else {
        time + wanted
    }
}
