use std::sync::Arc;

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::DType;
use burnscape_krylov::TrustRegionConfig;

use super::ascent::{AscentContext, ModelMaximum, Nearby, Perturbation};
use super::descent::Descent;
use super::oracle::Oracle;
use super::part::AnyPart;
use super::scale::Fisher;
use super::step::{Plan, SamStep};
use super::step_draws::StepDraws;
use super::{Ascent, AscentDirection, Metric, SamConfig};
use crate::optim::evaluation::{Evaluation, LossValue};
use crate::optim::rate::base_rate;
use crate::optim::report::InnerMaximum;
use crate::optim::ties::refuse_ties;
use crate::optim::{OptimError, SkipReason, StepReport};
use crate::space::{
    BufferSnapshot, LeafVector, ParamLeaf, ParamSpace, SpaceCache, mix, unshared_copy,
};

/// The implementation shared by all entry points: a configuration and the memories of its parts, without a base
/// optimizer.
///
/// A step begins with a plan ([`begin`](Self::begin)). For each part of the batch, [`perturb`](Self::perturb) finds the
/// displacement from the gradient at the weights, and [`SamStep::second`] adds the gradient at the displaced weights.
/// [`finish`](Self::finish) makes one gradient of both, and only there memories
/// change. [`run`](Self::run) is all of it, for entry points that can evaluate the loss.
#[derive(Debug, Clone)]
pub(in crate::optim) struct SamMachine {
    pub(in crate::optim) config: SamConfig,
    /// Steps taken or skipped.
    pub(in crate::optim) step: usize,
    pub(super) parts: Parts,
    spaces: SpaceCache,
}

/// The parts that may remember something.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    pub(super) direction: Arc<dyn AnyPart>,
    pub(super) ascent: Arc<dyn AnyPart>,
    pub(super) descent: Arc<dyn AnyPart>,
}

impl Parts {
    /// Each under the name of its place.
    pub(super) fn each(&mut self) -> [(&'static str, &mut Arc<dyn AnyPart>); 3] {
        [
            ("direction", &mut self.direction),
            ("ascent", &mut self.ascent),
            ("descent", &mut self.descent),
        ]
    }
}

impl SamMachine {
    pub(in crate::optim) fn new(config: SamConfig) -> Self {
        let parts = Parts {
            direction: config.ascent_direction.part(),
            ascent: config.ascent.part(),
            descent: config.descent_gradient.part(),
        };
        Self {
            config,
            step: 0,
            parts,
            spaces: SpaceCache::default(),
        }
    }

    /// The model's space, after the check for parameters that occur twice.
    pub(in crate::optim) fn space<M: Module>(&self, model: &M) -> Result<ParamSpace, OptimError> {
        let space = self.spaces.of(model)?;
        if !self.config.restore_tied {
            refuse_ties(&space)?;
        }
        Ok(space)
    }

    /// A step on an oracle, but for the move of the weights. After an error, and after a first pass that is not
    /// finite, running statistics are as `before`, in all clones that share them.
    pub(in crate::optim) fn run<M: Module>(
        &mut self,
        lr: &ModuleLearningRate,
        model: &M,
        space: &ParamSpace,
        before: &BufferSnapshot,
        oracle: &mut dyn Oracle<M>,
    ) -> Result<(StepReport, Descent), OptimError> {
        self.complete(model, before, |machine| {
            machine.passes(lr, model, space, oracle)
        })
    }

    /// Same as [`run`](Self::run), for passes that are taken in another way.
    pub(super) fn complete<M: Module>(
        &mut self,
        model: &M,
        before: &BufferSnapshot,
        passes: impl FnOnce(&Self) -> Result<SamStep, OptimError>,
    ) -> Result<(StepReport, Descent), OptimError> {
        let passes = passes(self);
        let finished = passes.and_then(|step| self.finish(step));
        let is_kept = finished
            .as_ref()
            .is_ok_and(|(report, _)| report.skipped != Some(SkipReason::NonFinite));
        if !is_kept {
            drop(before.restore(model.clone()));
        }
        finished
    }

    /// All stages but the last. Weights and memories do not change.
    fn passes<M: Module>(
        &self,
        lr: &ModuleLearningRate,
        model: &M,
        space: &ParamSpace,
        oracle: &mut dyn Oracle<M>,
    ) -> Result<SamStep, OptimError> {
        let mut step = self.begin(lr, space, oracle.num_parts())?;
        for part in 0..oracle.num_parts() {
            self.part(&mut step, part, model, space, oracle)?;
            if step.report.skipped.is_some() {
                break;
            }
        }
        Ok(step)
    }

    /// Both passes of a part of the batch. If the first one is not finite, the step is over.
    pub(super) fn part<M: Module>(
        &self,
        step: &mut SamStep,
        part: usize,
        model: &M,
        space: &ParamSpace,
        oracle: &mut dyn Oracle<M>,
    ) -> Result<(), OptimError> {
        let weight = oracle.weight(part);
        self.draws().reseed(space, part);
        let Evaluation { loss, gradients } = oracle.first(part, model)?;
        let gradient = LeafVector::from_gradients(space, &gradients)?;
        drop(gradients);
        let mut examples = None;
        if self.config.metric.needs_examples() && step.plan.wants_second {
            let (fisher, count) = self.example_fisher(part, model, oracle)?;
            step.report.num_gradients += count;
            examples = Some(fisher);
        }
        let first = First {
            weight,
            gradient,
            loss,
            examples,
        };
        let mut nearby = OracleNearby {
            machine: self,
            space,
            part,
            model,
            oracle,
        };
        let second = match self.perturb(step, first, model, Some(&mut nearby))? {
            Some(Perturbation::Displacement { vector, scale }) => {
                step.report.num_gradients += 1;
                nearby.evaluate(vector, scale)?
            }
            Some(Perturbation::Evaluated(evaluation)) => evaluation,
            None => return Ok(()),
        };
        step.second(weight, space, second)
    }

    /// The same machine for a copy of the model on another device: the vectors that an ascent remembers are there.
    pub(super) fn on(&self, space: &ParamSpace) -> Result<Self, OptimError> {
        let mut machine = self.clone();
        machine.parts.direction = self.parts.direction.on(space)?;
        machine.parts.ascent = self.parts.ascent.on(space)?;
        Ok(machine)
    }

    /// Plans the step. A batch may come in several parts.
    pub(super) fn begin(
        &self,
        lr: &ModuleLearningRate,
        space: &ParamSpace,
        num_parts: usize,
    ) -> Result<SamStep, OptimError> {
        let lr = base_rate(lr, space)?;
        let active_steps = self.config.active_steps.as_ref();
        let is_active = active_steps.is_none_or(|steps| steps.contains(&self.step));
        let wants_second = is_active && self.parts.descent.wants_second();
        let rho = if wants_second {
            self.config.schedule.rho(self.config.rho, self.step, lr)
        } else {
            0.0
        };
        // The formula is that of plain SAM's displacement.
        let is_custom = matches!(self.config.ascent, Ascent::Custom(_));
        let has_edge =
            !wants_second || (self.is_plain() && self.config.mask.is_none() && !is_custom);
        let plan = Plan {
            lr,
            rho,
            is_active,
            wants_second,
            has_edge,
        };
        Ok(SamStep::new(plan, num_parts))
    }

    /// Adds the gradient at the weights, and finds the point of the second one; `None` for a step without one.
    pub(super) fn perturb<M: Module>(
        &self,
        step: &mut SamStep,
        first: First,
        model: &M,
        nearby: Option<&mut dyn Nearby>,
    ) -> Result<Option<Perturbation>, OptimError> {
        let gradient = first.gradient;
        step.report.num_gradients += 1;
        let found = self.ascent_step(model, &gradient, first.loss, first.examples, &step.plan)?;
        step.square = found.square;
        let is_finite = found.is_finite();
        let loss = found.loss.map_or(LossValue::Unknown, LossValue::Number);
        if !is_finite {
            step.reject(gradient, loss)?;
            return Ok(None);
        }
        let mut perturbation = None;
        if let Some(ascent_step) = found.displacement {
            let mut context = AscentContext {
                name: self.parts.ascent.name(),
                rho: step.plan.rho,
                lr: step.plan.lr,
                step: self.step,
                seed: self.seed(),
                gradient: &gradient,
                ascent_step,
                nearby: nearby.map(|nearby| nearby as &mut dyn Nearby),
                num_gradients: 0,
                maximum: None,
            };
            perturbation = Some(match self.parts.ascent.ascend(&mut context)? {
                Perturbation::Displacement { vector, scale } => Perturbation::Displacement {
                    vector: vector.placed_in(gradient.space())?,
                    scale,
                },
                evaluated => evaluated,
            });
            step.report.num_gradients += context.num_gradients;
            if let Some(maximum) = context.maximum.take() {
                let before = step.report.inner.take();
                step.report.inner = Some(InnerMaximum::join(before, first.weight, maximum));
            }
        }
        step.plain.add(first.weight, gradient, loss)?;
        Ok(perturbation)
    }

    /// Makes one gradient of both for the base optimizer, and updates all memories. In a skipped step the gradient is
    /// the one at the weights, and the base optimizer must not use it.
    pub(in crate::optim) fn finish(
        &mut self,
        step: SamStep,
    ) -> Result<(StepReport, Descent), OptimError> {
        let is_active = step.plan.is_active;
        let (report, gradients) = step.close()?;
        if report.skipped.is_some() {
            self.step += 1;
            return Ok((report, Descent::only(gradients.plain)));
        }
        let mut descent = Descent::only(gradients.plain.clone());
        if is_active {
            descent = self.parts.descent.descend(&gradients)?;
            // All memories change, or none.
            let mut parts = self.parts.clone();
            for (_, part) in parts.each() {
                *part = part.after(&gradients)?;
            }
            self.parts = parts;
        }
        self.step += 1;
        // Sums may be wider than half precision; the base optimizer expects the types of the parameters.
        descent.gradient = descent.gradient.narrow();
        Ok((report, descent))
    }

    /// The diagonal Fisher matrix of the part's examples, and the number of gradients taken: twice as many
    /// where squares of gradients overflow.
    fn example_fisher<M: Module>(
        &self,
        part: usize,
        model: &M,
        oracle: &mut dyn Oracle<M>,
    ) -> Result<(Fisher, usize), OptimError> {
        let model = unshared_copy(model);
        let (squares, count) = oracle.example_squares(part, &model, 0)?;
        let bound = squares.wide_dot(&squares)?.sqrt();
        if !self.config.metric.overflows(bound) {
            return Ok((Fisher::Squares(squares), count));
        }
        // Half of the exponents of the type: then the largest numbers have squares, and the squares that underflow are
        // small beside the one that the metric adds.
        let is_double = |leaf: &ParamLeaf| leaf.dtype() == DType::F64;
        let exponent = if squares.space().leaves().iter().any(is_double) {
            512
        } else {
            64
        };
        let (squares, again) = oracle.example_squares(part, &model, exponent)?;
        let roots = squares.map(|_, square| Some(square.sqrt()));
        Ok((Fisher::Roots(roots, exponent), count + again))
    }

    /// The random numbers that the passes of this step draw.
    pub(in crate::optim) fn draws(&self) -> StepDraws {
        StepDraws::of_step(self.config.draws_seed, self.step)
    }

    /// The seed of masks, random starts and random vectors of this step.
    pub(super) fn seed(&self) -> u64 {
        mix(self.config.seed, self.step as u64)
    }

    /// Whether one ascent step is that of plain SAM, `rho g / |g|`.
    pub(super) fn is_plain(&self) -> bool {
        let config = &self.config;
        config.metric == Metric::Euclidean
            && config.ascent_direction == AscentDirection::Gradient
            && config.groups.is_empty()
    }
}

/// The pass at the weights, of one part of the batch.
pub(super) struct First {
    /// The weight of the part's loss in the loss of the whole.
    pub(super) weight: f64,
    pub(super) gradient: LeafVector,
    pub(super) loss: LossValue,
    /// The diagonal Fisher matrix of the part's examples, for a metric that needs it.
    pub(super) examples: Option<Fisher>,
}

/// The loss of one part of the batch around the weights.
struct OracleNearby<'a, M> {
    machine: &'a SamMachine,
    space: &'a ParamSpace,
    part: usize,
    model: &'a M,
    oracle: &'a mut dyn Oracle<M>,
}

impl<M: Module> Nearby for OracleNearby<'_, M> {
    fn evaluate(&mut self, displacement: LeafVector, scale: f64) -> Result<Evaluation, OptimError> {
        let displaced = displacement.displace_own(self.model, scale);
        drop(displacement);
        self.machine.draws().reseed(self.space, self.part);
        self.oracle.displaced(self.part, &displaced)
    }

    fn model_maximum(&mut self, ball: &TrustRegionConfig) -> Result<ModelMaximum, OptimError> {
        let draws_seed = self.machine.draws().seed(self.part);
        self.oracle
            .model_maximum(self.part, self.model, ball, draws_seed)
    }
}
