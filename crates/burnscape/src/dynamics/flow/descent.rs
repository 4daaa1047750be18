use std::ops::ControlFlow;

use burn::module::Module;
use burnscape_krylov::{FlowConfig, FlowStep, VectorSpace};

use super::field::{Downhill, is_stop, longest, tolerances};
use super::search::SharpnessSearch;
use super::{GradientFlow, GradientFlowConfig};
use crate::dynamics::DynamicsError;
use crate::loss::{Progress, Risk, Work};
use crate::space::ParamVector;

/// The residual of a search for the sharpness, which bounds the steps, and its most products.
const TOLERANCE: f64 = 5e-3;
const MAX_MATVECS: usize = 60;

/// How often a step along which the loss rises is made shorter.
const MAX_HALVINGS: usize = 10;

/// Rounding errors of a loss, and of the weights at which it is computed, in units of theirs.
const ROUNDINGS: f64 = 8.0;

/// Follows the flow of a config that has been checked.
pub(super) fn descend<M: Module, K>(
    config: &GradientFlowConfig,
    risk: &Risk<'_, M, K>,
    model: &M,
) -> Result<GradientFlow<M>, DynamicsError> {
    let _ = risk.take_break();
    let space = risk.space(model)?;
    let set = [config.relative_tolerance, config.absolute_tolerance];
    let tolerances = tolerances(set, space.dtype()?);
    let weights = ParamVector::from_module(&space, model)?;
    let mut search = SharpnessSearch::new(risk, TOLERANCE, MAX_MATVECS, config.seed);
    let top = search.at(model)?;
    refuse_stiff(config, top.value)?;
    let mut descent = Descent {
        config,
        limit: longest(config.method, top.value),
        weights,
        search,
        began: 0.0,
        rise: None,
        num_halvings: 0,
        found: GradientFlow {
            model: model.clone(),
            times: vec![0.0],
            losses: vec![top.loss],
            sharpness_times: vec![0.0],
            sharpness: vec![top.value],
            num_accepted: 0,
            num_rejected: 0,
            num_rises: 0,
            num_gradients: 0,
            num_matvecs: 0,
            completed: false,
            config: config.clone(),
        },
    };
    let field = Downhill::new(risk, model);
    let completed = descent.run(&field, tolerances)?;
    let Descent {
        weights,
        search,
        mut found,
        ..
    } = descent;
    if completed && let Some(last) = found.times.last_mut() {
        // Times are sums, with their rounding.
        *last = config.end_time;
    }
    found.model = weights.apply_to(model)?;
    found.num_gradients = field.num_gradients.get() + search.num_gradients;
    found.num_matvecs = search.num_matvecs;
    found.completed = completed;
    Ok(found)
}

fn refuse_stiff(config: &GradientFlowConfig, sharpness: f64) -> Result<(), DynamicsError> {
    let steps = config.end_time / longest(config.method, sharpness);
    let gradients = steps.ceil() * config.method.evaluations_per_step() as f64;
    if gradients <= config.max_gradients as f64 {
        return Ok(());
    }
    Err(DynamicsError::StiffFlow {
        sharpness,
        end_time: config.end_time,
        gradients,
        max_gradients: config.max_gradients,
    })
}

/// A flow on its way.
struct Descent<'c, 'a, M> {
    config: &'c GradientFlowConfig,
    search: SharpnessSearch<'a, M>,
    /// The weights at the last of the times.
    weights: ParamVector,
    /// The longest step.
    limit: f64,
    /// The time at which the run of the solver began, in the time of the flow.
    began: f64,
    /// The length of the step along which the loss has risen.
    rise: Option<f64>,
    num_halvings: usize,
    found: GradientFlow<M>,
}

impl<'a, M: Module> Descent<'_, 'a, M> {
    /// Whether the flow came to its end time.
    ///
    /// The flow does not depend on time: where the loss rises, the solver starts again from the step before.
    fn run<K>(
        &mut self,
        field: &Downhill<'_, 'a, M, K>,
        [relative, absolute]: [f64; 2],
    ) -> Result<bool, DynamicsError> {
        let config = self.config;
        let mut first = None;
        loop {
            self.began = self.time();
            let used = field.num_gradients.get();
            let mut solver = FlowConfig::new((config.end_time - self.began).max(0.0))
                .with_method(config.method)
                .with_tolerances(relative, absolute)
                .with_max_step(self.limit)
                .with_max_evaluations(config.max_gradients.saturating_sub(used));
            if let Some(length) = first {
                solver = solver.with_first_step(length);
            }
            let start = self.weights.clone();
            let slope = |_: f64, weights: &ParamVector| field.at(weights, 1.0);
            let ended = match solver.run(start, slope, |step| self.accept(step, field)) {
                Err(error) if is_stop(&error) => return Ok(false),
                ended => ended?,
            };
            self.found.num_rejected += ended.num_rejected;
            let Some(length) = self.rise.take() else {
                return Ok(ended.outcome.is_converged());
            };
            self.found.num_rejected += 1;
            self.num_halvings += 1;
            first = Some(0.5 * length);
        }
    }

    fn accept<K>(
        &mut self,
        step: &mut FlowStep<ParamVector>,
        field: &Downhill<'_, 'a, M, K>,
    ) -> Result<ControlFlow<()>, DynamicsError> {
        let loss = field.loss.get();
        if self.rises(step, loss)? {
            if self.num_halvings < MAX_HALVINGS {
                self.rise = Some(step.end() - step.start());
                return Ok(ControlFlow::Break(()));
            }
            self.found.num_rises += 1;
        }
        self.num_halvings = 0;
        self.weights = step.end_value().clone();
        let time = self.began + step.end();
        self.found.times.push(time);
        self.found.losses.push(loss);
        self.found.num_accepted += 1;
        let interval = self.config.sharpness_interval;
        if self.found.num_accepted.is_multiple_of(interval) {
            let top = self.search.at(&self.weights.apply_to(field.model)?)?;
            self.found.sharpness_times.push(time);
            self.found.sharpness.push(top.value);
            self.limit = longest(self.config.method, top.value);
            step.limit_next(self.limit);
        }
        let progress = Progress::new(Work::Step, self.found.num_accepted).value(loss);
        let is_stopped = field.risk.take_break() || field.risk.report(progress).is_break();
        Ok(if is_stopped {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }

    /// Whether the loss rises along a step by more than rounding: that of the loss, and that of the weights at which it
    /// is computed.
    fn rises(&self, step: &FlowStep<ParamVector>, loss: f64) -> Result<bool, DynamicsError> {
        let (first, before) = match self.found.losses.as_slice() {
            [first, .., before] => (*first, *before),
            [only] => (*only, *only),
            [] => return Ok(false),
        };
        // Not a number is no rise: the solver refuses it.
        if loss.is_nan() || loss <= before {
            return Ok(false);
        }
        let epsilon = ROUNDINGS * self.weights.epsilon();
        // At the start: a step that leaves the basin has a slope at its end that would excuse any rise.
        let (length, slope) = (step.start_value().norm()?, step.start_slope().norm()?);
        let moved = epsilon * length;
        let sharpness = self
            .found
            .sharpness
            .last()
            .map_or(0.0, |last| last.max(0.0));
        let size = first.abs().max(before.abs());
        let rounding = epsilon * size + slope * moved + 0.5 * sharpness * moved * moved;
        Ok(loss - before > rounding)
    }

    fn time(&self) -> f64 {
        self.found.times.last().copied().unwrap_or(0.0)
    }
}
