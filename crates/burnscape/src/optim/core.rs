use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::DType;

use super::combination::{Descent, Kept, Products};
use super::evaluation::{Evaluation, LossValue};
use super::metric::Fisher;
use super::oracle::Oracle;
use super::rate::base_rate;
use super::report::{InnerMaximum, sam_edge};
use super::trust_region::{self, Ball, ModelMaximum};
use super::{Ascent, Metric, OptimError, SamConfig, SkipReason, StepReport, Tied, projected};
use crate::space::{LeafVector, ParamLeaf, ParamSpace, SpaceCache, Wide, mix, unshared_copy};

/// The machine under every door: a configuration and what it remembers, without a base optimizer.
///
/// A step is [`passes`](Self::passes), which takes the gradients and changes nothing, and
/// [`combine`](Self::combine), which makes one gradient of them and moves the state on.
#[derive(Debug, Clone)]
pub(super) struct SamCore {
    pub(super) config: SamConfig,
    pub(super) state: SamState,
    spaces: SpaceCache,
}

/// What a sharpness-aware optimizer remembers besides its base's state.
#[derive(Debug, Clone, Default)]
pub(super) struct SamState {
    /// Steps taken or skipped.
    pub(super) step: usize,
    /// Steps inside the window.
    pub(super) ascents: usize,
    /// Friendly SAM's average of gradients.
    pub(super) average: Option<LeafVector>,
    /// LookSAM's kept direction.
    pub(super) kept: Option<Kept>,
}

/// What one step is about to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) lr: f64,
    pub(super) rho: f64,
    pub(super) is_inside: bool,
    pub(super) wants_second: bool,
}

/// What the passes of one step gave.
pub(super) struct Passes {
    pub(super) report: StepReport,
    pub(super) gradient: LeafVector,
    /// `|g|²`.
    pub(super) square: Wide,
    pub(super) second: Option<(LeafVector, Products)>,
    pub(super) is_inside: bool,
}

impl SamCore {
    pub(super) fn new(config: SamConfig) -> Self {
        Self {
            config,
            state: SamState::default(),
            spaces: SpaceCache::default(),
        }
    }

    /// Which part of the configuration needs the batch itself, if any.
    pub(super) fn needs_batch(&self) -> Option<&'static str> {
        if self.config.group_size.is_some() {
            Some("m-sharpness (`group_size`)")
        } else if self.config.selection.is_some() {
            Some("data selection (`selection`)")
        } else if self.config.metric.needs_examples() {
            Some("a Fisher metric of example gradients")
        } else if matches!(self.config.ascent, Ascent::TrustRegion { .. }) {
            Some("trust-region ascent")
        } else {
            None
        }
    }

    pub(super) fn refuse_what_needs_batch(&self) -> Result<(), OptimError> {
        match self.needs_batch() {
            Some(feature) => Err(OptimError::NeedsBatch { feature }),
            None => Ok(()),
        }
    }

    /// The model's space, after the check for parameters that occur twice.
    pub(super) fn space<M: Module>(&self, model: &M) -> Result<ParamSpace, OptimError> {
        let space = self.spaces.of(model)?;
        if self.config.tied == Tied::Refuse {
            refuse_ties(&space)?;
        }
        Ok(space)
    }

    pub(super) fn plan(
        &self,
        lr: &ModuleLearningRate,
        space: &ParamSpace,
    ) -> Result<Plan, OptimError> {
        let lr = base_rate(lr, space)?;
        let SamState {
            step,
            ascents,
            ref kept,
            ..
        } = self.state;
        let is_inside = self
            .config
            .window
            .is_none_or(|window| window.contains(step));
        let wants_second = is_inside
            && self
                .config
                .combination
                .wants_second(ascents, kept.is_some());
        let rho = match wants_second {
            true => self.config.schedule.rho(self.config.rho, step, lr),
            false => 0.0,
        };
        Ok(Plan {
            lr,
            rho,
            is_inside,
            wants_second,
        })
    }

    /// What is known of a step after its first pass.
    pub(super) fn report(
        &self,
        plan: &Plan,
        loss: Option<f64>,
        square: Wide,
        gradient: &LeafVector,
    ) -> StepReport {
        // The formula is that of plain SAM's displacement.
        let has_edge = !plan.wants_second || (self.is_plain() && self.config.mask.is_none());
        let gradient_norm = square.sqrt().value();
        StepReport {
            loss,
            perturbed_loss: None,
            gradient_norm,
            cosine: None,
            inner: None,
            rho: plan.rho,
            gradients: 1,
            sam_edge: sam_edge(gradient_norm, plan.rho, plan.lr).filter(|_| has_edge),
            without_gradient: gradient.num_absent(),
            skipped: None,
        }
    }

    /// Takes the gradients of one step. Weights and state stay as they are.
    pub(super) fn passes<M: Module>(
        &self,
        lr: &ModuleLearningRate,
        model: &M,
        space: &ParamSpace,
        oracle: &mut dyn Oracle<M>,
    ) -> Result<Passes, OptimError> {
        let plan = self.plan(lr, space)?;
        let has_parts = oracle.num_parts() > 1;
        let mut plain = WeightedSum::new(has_parts);
        let mut perturbed = WeightedSum::new(has_parts);
        let mut square = Wide::ZERO;
        let mut gradients = 0;
        let mut inner = None;
        for part in 0..oracle.num_parts() {
            let weight = oracle.weight(part);
            self.reseed(space, part);
            let Evaluation {
                loss,
                gradients: first,
            } = oracle.first(part, model)?;
            gradients += 1;
            let gradient = LeafVector::from_gradients(space, &first)?;
            drop(first);
            let mut examples = None;
            if self.config.metric.needs_examples() && plan.wants_second {
                let (fisher, count) = self.example_fisher(part, model, oracle)?;
                gradients += count;
                examples = Some(fisher);
            }
            let aim = self.aim(model, &gradient, loss, examples, &plan)?;
            square = aim.square;
            if !aim.is_finite() {
                let mut report = self.report(&plan, aim.loss, aim.square, &gradient);
                report.skipped = Some(SkipReason::NonFinite);
                report.gradients = gradients;
                let is_inside = plan.is_inside;
                return Ok(Passes {
                    report,
                    gradient,
                    square,
                    second: None,
                    is_inside,
                });
            }
            if let Some((direction, scale)) = aim.displacement {
                let Second {
                    evaluation: second,
                    taken,
                    maximum,
                } = self.second_pass(part, model, direction, scale, &plan, oracle)?;
                gradients += taken;
                if let Some(maximum) = maximum {
                    inner = Some(InnerMaximum::join(inner, weight, maximum));
                }
                let vector = LeafVector::from_gradients(space, &second.gradients)?;
                perturbed.add(weight, vector, second.loss)?;
            }
            let loss = aim.loss.map_or(LossValue::Unknown, LossValue::Number);
            plain.add(weight, gradient, loss)?;
        }
        let loss = plain.known_loss();
        let Some(gradient) = plain.vector else {
            return Err(crate::loss::LossError::EmptyBatch { batch: 0 }.into());
        };
        if has_parts {
            square = gradient.wide_dot(&gradient)?;
        }
        let mut report = self.report(&plan, loss, square, &gradient);
        report.gradients = gradients;
        report.inner = inner;
        let mut second = None;
        if let Some(vector) = perturbed.vector.take() {
            let products = Products::read(&gradient, &vector, square, &mut perturbed.losses)?;
            report.cosine = products.cosine();
            report.perturbed_loss = perturbed.known_loss();
            let is_finite = report.perturbed_loss.is_none_or(f64::is_finite);
            if !products.perturbed.is_finite() || !is_finite {
                report.skipped = Some(SkipReason::NonFinitePerturbed);
            }
            second = Some((vector, products));
        }
        Ok(Passes {
            report,
            gradient,
            square,
            second,
            is_inside: plan.is_inside,
        })
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
        // Half of the exponents of the type: the largest numbers have squares then, and what is lost at the
        // other end is small beside the one that the metric adds.
        let is_double = |leaf: &ParamLeaf| leaf.dtype() == DType::F64;
        let exponent = match squares.space().leaves().iter().any(is_double) {
            true => 512,
            false => 64,
        };
        let (squares, again) = oracle.example_squares(part, &model, exponent)?;
        let roots = squares.map(|_, square| Some(square.sqrt()));
        Ok((Fisher::Roots(roots, exponent), count + again))
    }

    /// The pass at displaced weights.
    fn second_pass<M: Module>(
        &self,
        part: usize,
        model: &M,
        direction: LeafVector,
        scale: f64,
        plan: &Plan,
        oracle: &mut dyn Oracle<M>,
    ) -> Result<Second, OptimError> {
        let space = direction.space().clone();
        let mut evaluate = |model: &M| {
            self.reseed(&space, part);
            oracle.displaced(part, model)
        };
        let (evaluation, taken) = match &self.config.ascent {
            Ascent::OneStep => {
                let displaced = direction.displace_own(model, scale);
                drop(direction);
                (evaluate(&displaced)?, 1)
            }
            Ascent::Projected {
                steps,
                restarts,
                step_size,
                seed,
            } => {
                let search = projected::Search {
                    rho: plan.rho,
                    steps: *steps,
                    restarts: *restarts,
                    step_size: *step_size,
                    seed: mix(*seed, self.state.step as u64),
                };
                projected::maximize(model, direction.scale(scale), search, &mut evaluate)?
            }
            Ascent::TrustRegion {
                max_basis,
                tolerance,
                seed,
            } => {
                let ball = Ball {
                    rho: plan.rho,
                    max_basis: *max_basis,
                    tolerance: *tolerance,
                    seed: mix(*seed, self.state.step as u64),
                    draws_seed: self.draws_seed(part),
                };
                let maximum = oracle.model_maximum(part, model, ball)?;
                let ModelMaximum { points, report } = maximum;
                let mut evaluate = |model: &M| {
                    self.reseed(&space, part);
                    oracle.displaced(part, model)
                };
                let (evaluation, taken) = trust_region::highest(model, points, &mut evaluate)?;
                return Ok(Second {
                    evaluation,
                    // The Hessian comes with a gradient.
                    taken: taken + 1,
                    maximum: Some(report),
                });
            }
        };
        Ok(Second {
            evaluation,
            taken,
            maximum: None,
        })
    }

    /// One gradient for the base optimizer, and the state moved on by a step.
    pub(super) fn combine(&mut self, passes: Passes) -> Result<Descent, OptimError> {
        let Passes {
            gradient,
            square,
            second,
            is_inside,
            ..
        } = passes;
        let Self { config, state, .. } = self;
        let descent = match second {
            Some((perturbed, products)) => {
                config
                    .combination
                    .combine(&gradient, &perturbed, products, &mut state.kept)?
            }
            None if is_inside => {
                let kept = state.kept.as_ref();
                Descent::only(config.combination.without_second(&gradient, square, kept)?)
            }
            None => Descent::only(gradient.clone()),
        };
        if is_inside {
            state.average = config.source.average(gradient, state.average.take())?;
            state.ascents += 1;
        }
        state.step += 1;
        // The optimizer's own sums are wider than half precision; what it hands on is not.
        Ok(Descent {
            gradient: descent.gradient.narrow(),
            ..descent
        })
    }

    /// Steps counted so far.
    #[cfg(feature = "train")]
    pub(super) fn num_steps(&self) -> usize {
        self.state.step
    }

    /// Counts a step that moved nothing.
    pub(super) fn skip(&mut self) {
        self.state.step += 1;
    }

    /// Both passes of a part draw the same random numbers, if the configuration says so.
    pub(super) fn reseed(&self, space: &ParamSpace, part: usize) {
        if let Some(seed) = self.draws_seed(part) {
            space.device().seed(seed);
        }
    }

    fn draws_seed(&self, part: usize) -> Option<u64> {
        let seed = self.config.draws_seed?;
        Some(mix(mix(seed, self.state.step as u64), part as u64))
    }

    /// Whether the displacement is that of plain SAM, `rho g / |g|`.
    pub(super) fn is_plain(&self) -> bool {
        let config = &self.config;
        config.metric == Metric::Euclidean
            && config.source == super::Source::Gradient
            && config.groups.is_empty()
    }
}

/// A pass at displaced weights.
struct Second {
    evaluation: Evaluation,
    /// Gradients taken.
    taken: usize,
    /// What the maximization reached, if there was one of a quadratic model.
    maximum: Option<InnerMaximum>,
}

/// A weighted sum of gradients, with the losses they belong to.
struct WeightedSum {
    /// Many half-precision gradients are summed in f32.
    is_wide: bool,
    vector: Option<LeafVector>,
    weights: Vec<f64>,
    losses: Vec<LossValue>,
}

impl WeightedSum {
    fn new(is_wide: bool) -> Self {
        Self {
            is_wide,
            vector: None,
            weights: Vec::new(),
            losses: Vec::new(),
        }
    }

    fn add(&mut self, weight: f64, vector: LeafVector, loss: LossValue) -> Result<(), OptimError> {
        let vector = if self.is_wide { vector.widen() } else { vector };
        self.vector = Some(match self.vector.take() {
            None => vector.scale(weight),
            Some(sum) => sum.linear(1.0, weight, &vector)?,
        });
        self.weights.push(weight);
        self.losses.push(loss);
        Ok(())
    }

    /// The weighted sum of the losses, once they are numbers.
    fn known_loss(&self) -> Option<f64> {
        let losses = self.losses.iter().zip(&self.weights);
        losses
            .map(|(loss, weight)| Some(weight * loss.number()?))
            .sum()
    }
}

pub(super) fn refuse_ties(space: &ParamSpace) -> Result<(), OptimError> {
    for leaf in space.leaves() {
        if let Some(second) = leaf.duplicates().first() {
            let (first, second) = (leaf.path().to_string(), second.clone());
            return Err(OptimError::TiedParameter { first, second });
        }
    }
    Ok(())
}
