use std::ops::ControlFlow;

use burn::module::Module;
use burnscape_krylov::{FlowConfig, FlowStep, KrylovFault};

use super::central_field::{CentralField, Seen};
use super::field::{is_stop, longest, tolerances};
use super::{CentralFlow, CentralFlowConfig};
use crate::dynamics::DynamicsError;
use crate::loss::{Progress, Risk, Work};
use crate::space::ParamVector;

/// How near to the edge a start may be above it, and a second eigenvalue must not be below it.
const MARGIN: f64 = 0.05;

/// How near to the edge the sharpness is at it.
const NEAR: f64 = 1e-9;

/// Follows the flow of a config that has been checked.
pub(super) fn follow<M: Module, K>(
    config: &CentralFlowConfig,
    risk: &Risk<'_, M, K>,
    model: &M,
) -> Result<CentralFlow<M>, DynamicsError> {
    let _ = risk.take_break();
    let space = risk.space(model)?;
    let set = [config.relative_tolerance, config.absolute_tolerance];
    let tolerances = tolerances(set, space.dtype()?);
    let weights = ParamVector::from_module(&space, model)?;
    let field = CentralField::new(config, risk, model);
    let (top, edge) = (field.top(&weights)?, config.edge());
    if top.value > (1.0 + MARGIN) * edge {
        return Err(DynamicsError::AboveEdge {
            sharpness: top.value,
            edge,
        });
    }
    let mut flow = Following {
        config,
        limit: longest(config.method, config.lr * top.value),
        weights,
        began: 0.0,
        next: None,
        found: CentralFlow {
            model: model.clone(),
            times: Vec::new(),
            losses: Vec::new(),
            sharpness: Vec::new(),
            sigma_squared: Vec::new(),
            second_direction: None,
            num_accepted: 0,
            num_rejected: 0,
            num_gradients: 0,
            num_matvecs: 0,
            num_third_derivatives: 0,
            completed: false,
            config: config.clone(),
        },
    };
    let is_at_edge = top.value >= (1.0 - NEAR) * edge;
    let seen = if is_at_edge {
        flow.arrive(&field, &flow.weights)?
    } else {
        Seen {
            loss: top.loss,
            sharpness: top.value,
            second: top.second,
            sigma_squared: 0.0,
        }
    };
    flow.record(0.0, seen);
    if is_at_edge && let Some(second) = flow.second(seen) {
        return Err(DynamicsError::SecondDirection { second, edge });
    }
    let completed = flow.run(&field, tolerances)?;
    let Following {
        weights, mut found, ..
    } = flow;
    if completed && let Some(last) = found.times.last_mut() {
        // Times are sums, with their rounding.
        *last = config.end_time;
    }
    let spent = field.spent();
    found.model = weights.apply_to(model)?;
    found.num_gradients = spent.num_gradients;
    found.num_matvecs = spent.num_matvecs;
    found.num_third_derivatives = spent.num_third_derivatives;
    found.completed = completed;
    Ok(found)
}

/// Why the solver has ended before the end time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The sharpness has reached the edge, or left it: the field is another one.
    Another,
    /// A second eigenvalue has reached the edge, or the observer has stopped the flow.
    End,
}

/// A flow on its way.
struct Following<'c, M> {
    config: &'c CentralFlowConfig,
    /// The weights at the last of the times.
    weights: ParamVector,
    /// The longest step.
    limit: f64,
    /// The time at which the run of the solver began, in the time of the flow.
    began: f64,
    next: Option<Next>,
    found: CentralFlow<M>,
}

impl<M: Module> Following<'_, M> {
    /// Whether the flow came to its end time.
    ///
    /// The field jumps where the sharpness reaches the edge, or leaves it. The solver ends there and starts again.
    fn run<K>(
        &mut self,
        field: &CentralField<'_, '_, M, K>,
        [relative, absolute]: [f64; 2],
    ) -> Result<bool, DynamicsError> {
        let config = self.config;
        loop {
            self.began = self.time();
            let used = field.num_evaluations();
            let solver = FlowConfig::new((config.end_time - self.began).max(0.0))
                .with_method(config.method)
                .with_tolerances(relative, absolute)
                .with_max_step(self.limit)
                .with_max_evaluations(config.max_gradients.saturating_sub(used));
            let start = self.weights.clone();
            let slope = |_: f64, weights: &ParamVector| field.at(weights);
            let ended = match solver.run(start, slope, |step| self.accept(step, field)) {
                Err(error) if is_stop(&error) => return Ok(false),
                ended => ended?,
            };
            self.found.num_rejected += ended.num_rejected;
            match self.next.take() {
                Some(Next::Another) => {}
                Some(Next::End) => return Ok(false),
                None => return Ok(ended.outcome.is_converged()),
            }
        }
    }

    fn accept<K>(
        &mut self,
        step: &mut FlowStep<ParamVector>,
        field: &CentralField<'_, '_, M, K>,
    ) -> Result<ControlFlow<()>, DynamicsError> {
        let seen = match field.seen() {
            Some(seen) if field.is_held() => self.held(step, field, seen),
            _ => self.free(step, field)?,
        };
        self.found.num_accepted += 1;
        step.limit_next(self.limit);
        let progress = Progress::new(Work::Step, self.found.num_accepted).value(seen.loss);
        let is_stopped = field.risk().take_break() || field.risk().report(progress).is_break();
        if is_stopped && self.next.is_some() {
            // Not to start again.
            self.next = Some(Next::End);
        }
        Ok(if is_stopped || self.next.is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }

    /// A step at the edge.
    fn held<K>(
        &mut self,
        step: &FlowStep<ParamVector>,
        field: &CentralField<'_, '_, M, K>,
        seen: Seen,
    ) -> Seen {
        self.weights = step.end_value().clone();
        self.record(self.began + step.end(), seen);
        self.found.second_direction = self.second(seen);
        let edge = self.config.edge();
        if self.found.second_direction.is_some() {
            self.next = Some(Next::End);
        } else if seen.sigma_squared < 0.0 && seen.sharpness < (1.0 + NEAR) * edge {
            field.hold(false);
            self.next = Some(Next::Another);
        }
        self.limit = longest(
            self.config.method,
            self.config.lr * edge.max(seen.sharpness),
        );
        seen
    }

    /// A step below the edge, or one that reaches it.
    fn free<K>(
        &mut self,
        step: &FlowStep<ParamVector>,
        field: &CentralField<'_, '_, M, K>,
    ) -> Result<Seen, DynamicsError> {
        let (method, lr, edge) = (self.config.method, self.config.lr, self.config.edge());
        let top = field.top(step.end_value())?;
        if top.value < edge {
            let seen = Seen {
                loss: top.loss,
                sharpness: top.value,
                second: top.second,
                sigma_squared: 0.0,
            };
            self.weights = step.end_value().clone();
            self.record(self.began + step.end(), seen);
            self.limit = longest(method, lr * top.value);
            return Ok(seen);
        }
        let time = arrival(step, field, edge)?;
        let weights = step.at(time)?;
        let seen = self.arrive(field, &weights)?;
        self.weights = weights;
        self.limit = longest(method, lr * edge);
        self.record(self.began + time, seen);
        self.found.second_direction = self.second(seen);
        self.next = Some(if self.found.second_direction.is_some() {
            Next::End
        } else {
            Next::Another
        });
        Ok(seen)
    }

    /// Evaluates the field at weights that are at the edge.
    fn arrive<K>(
        &self,
        field: &CentralField<'_, '_, M, K>,
        weights: &ParamVector,
    ) -> Result<Seen, DynamicsError> {
        field.hold(true);
        field.held(weights)?;
        let none = Seen {
            loss: f64::NAN,
            sharpness: self.config.edge(),
            second: None,
            sigma_squared: 0.0,
        };
        Ok(field.seen().unwrap_or(none))
    }

    fn record(&mut self, time: f64, seen: Seen) {
        let found = &mut self.found;
        // The flow may reach the edge where a step starts.
        if found.times.last() == Some(&time) {
            found.times.pop();
            found.losses.pop();
            found.sharpness.pop();
            found.sigma_squared.pop();
        }
        found.times.push(time);
        found.losses.push(seen.loss);
        found.sharpness.push(seen.sharpness);
        found.sigma_squared.push(seen.sigma_squared.max(0.0));
    }

    /// The second eigenvalue, if it is at the edge.
    fn second(&self, seen: Seen) -> Option<f64> {
        let least = (1.0 - MARGIN) * self.config.edge();
        seen.second.filter(|second| *second >= least)
    }

    fn time(&self) -> f64 {
        self.found.times.last().copied().unwrap_or(0.0)
    }
}

/// The time within a step at which the sharpness reaches the edge.
fn arrival<M: Module, K>(
    step: &FlowStep<ParamVector>,
    field: &CentralField<'_, '_, M, K>,
    edge: f64,
) -> Result<f64, DynamicsError> {
    let mut failed = None;
    let found = step.root(|_, weights| match field.top(weights) {
        Ok(top) if (top.value - edge).abs() <= NEAR * edge => Ok(0.0),
        Ok(top) => Ok(top.value - edge),
        Err(error) => {
            failed = Some(error);
            Err(KrylovFault::Stopped.into())
        }
    });
    match failed {
        Some(error) => Err(error),
        // Without a change of sign it was there at the start.
        None => Ok(found?.unwrap_or(step.start())),
    }
}
