//! Flows: the methods to rounding, their orders and limits, dense output and events, and how runs end.

mod ends;
mod events;
mod golden;
mod orders;
mod refusals;
mod stability;

use std::ops::ControlFlow;

use burnscape_krylov::{Flow, FlowConfig, FlowStep, KrylovFault, RungeKutta};

pub(crate) const METHODS: [RungeKutta; 2] =
    [RungeKutta::BogackiShampine, RungeKutta::DormandPrince];

type Steps = Vec<FlowStep<Vec<f64>>>;

/// A field that never fails.
pub(crate) fn run(
    config: &FlowConfig,
    start: &[f64],
    field: impl Fn(f64, &[f64]) -> Vec<f64>,
) -> Result<Flow<Vec<f64>>, KrylovFault> {
    let start = start.to_vec();
    let whole = |_: &mut FlowStep<Vec<f64>>| Ok(ControlFlow::Continue(()));
    config.run(start, |t, y| Ok(field(t, y)), whole)
}

/// The same with all accepted steps.
pub(crate) fn steps(
    config: &FlowConfig,
    start: &[f64],
    field: impl Fn(f64, &[f64]) -> Vec<f64>,
) -> Result<(Flow<Vec<f64>>, Steps), KrylovFault> {
    let mut steps = Vec::new();
    let flow = config.run(
        start.to_vec(),
        |t, y| Ok(field(t, y)),
        |step| {
            steps.push(step.clone());
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok((flow, steps))
}

/// Steps of one length, whatever their error.
pub(crate) fn fixed(method: RungeKutta, end_time: f64, length: f64) -> FlowConfig {
    FlowConfig::new(end_time)
        .with_method(method)
        .with_tolerances(1e100, 0.0)
        .with_first_step(length)
        .with_max_step(length)
}

/// The largest difference of two vectors.
pub(crate) fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().zip(b);
    pairs.fold(0.0_f64, |most, (a, b)| most.max((a - b).abs()))
}
