use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};

use super::batch_oracle::BatchOracle;
use super::combination::{Descent, Products};
use super::evaluation::{Evaluation, LossValue};
use super::oracle::{ClosureOracle, Oracle};
use super::report::sam_edge;
use super::seed::mix;
use super::{
    Ascended, Ascent, IntoEvaluation, OptimError, SamConfig, SkipReason, StepReport, Tied, rho,
};
use crate::loss::{Batch, Objective};
use crate::space::{BufferSnapshot, LeafVector, ParamSpace, unshared_copy};

/// A sharpness-aware optimizer around a Burn [`ModuleOptimizer`]. Built by [`SamConfig::init`].
///
/// [`step`](Self::step) takes a closure and does everything. [`step_on`](Self::step_on) takes a
/// batch, for the variants that look into it. Underneath are [`ascend`](Self::ascend) and
/// [`descend`](Self::descend), for loops that take their gradients themselves.
///
/// # Cost
///
/// Two gradients and one step of the base (LookSAM: `k + 1` gradients in `k` steps; SA-GD:
/// `1 + restarts · steps`), two host synchronizations, and memory for one displaced copy of the
/// parameters.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::SgdConfig;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::optim::SamConfig;
///
/// let device = Device::default().autodiff();
/// let mut model = LinearConfig::new(1, 1).with_bias(false).init(&device);
/// let x = Tensor::<2>::ones([4, 1], &device);
/// let mut sam = SamConfig::new().with_rho(0.1).init(SgdConfig::new().init())?;
/// for _ in 0..50 {
///     let report = sam.step(0.1, &mut model, |m: &Linear| {
///         m.forward(x.clone()).sub_scalar(3.0).powi_scalar(2).mean()
///     })?;
///     assert!(report.perturbed_loss >= report.loss);
/// }
/// let weight: f32 = model.weight.val().into_scalar();
/// assert!((weight - 3.0).abs() < 0.1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Sam {
    pub(super) config: SamConfig,
    pub(super) base: ModuleOptimizer,
    pub(super) state: SamState,
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
    pub(super) kept: Option<LeafVector>,
}

/// What one step is about to do.
struct Plan {
    lr: f64,
    rho: f64,
    is_inside: bool,
    wants_second: bool,
}

/// One part's first pass.
struct Ascending {
    gradient: LeafVector,
    square: f64,
    loss: Option<f64>,
    /// The displacement, times its scale.
    displacement: Option<(LeafVector, f64)>,
}

impl std::fmt::Debug for Sam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sam")
            .field("config", &self.config)
            .field("step", &self.state.step)
            .finish_non_exhaustive()
    }
}

impl Sam {
    pub(super) fn from_config(config: SamConfig, base: ModuleOptimizer) -> Self {
        Self {
            config,
            base,
            state: SamState::default(),
        }
    }

    /// The configuration.
    pub fn config(&self) -> &SamConfig {
        &self.config
    }

    /// Steps taken so far, skipped ones included.
    pub fn num_steps(&self) -> usize {
        self.state.step
    }

    /// One step on a closure.
    ///
    /// The closure is called at the weights and at displaced weights; it must evaluate the same
    /// batch each time. It returns the loss, or the loss with gradients. On an error the model is
    /// as before, running statistics included.
    ///
    /// A NaN or infinite loss or gradient is no error: the step is skipped, and the report says so.
    ///
    /// # Errors
    ///
    /// [`OptimError::NeedsBatch`] for variants that need [`step_on`](Self::step_on),
    /// [`OptimError::TiedParameter`], [`OptimError::LearningRate`], and what the loss or the
    /// gradients are refused for.
    pub fn step<M, F, R>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        closure: F,
    ) -> Result<StepReport, OptimError>
    where
        M: Module,
        F: FnMut(&M) -> R,
        R: IntoEvaluation,
    {
        if let Some(feature) = self.needs_batch() {
            return Err(OptimError::NeedsBatch { feature });
        }
        let space = self.space(model)?;
        self.run(lr.into(), model, &space, &mut ClosureOracle(closure))
    }

    /// One step on a batch: as [`step`](Self::step), and able to split the batch (m-sharpness),
    /// select from it (ESAM) and take it example by example (Fisher).
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step), and those of [`Batch`].
    pub fn step_on<M, B, O>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        batch: B,
        objective: &O,
    ) -> Result<StepReport, OptimError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
    {
        let space = self.space(model)?;
        let (size, selection) = (self.config.group_size, self.config.selection);
        let mut oracle = BatchOracle::new::<M>(objective, batch, size, selection, space.clone())?;
        self.run(lr.into(), model, &space, &mut oracle)
    }

    /// The ascent: moves the model to `w + e`, given the gradients at `w`.
    ///
    /// # Errors
    ///
    /// [`OptimError::NeedsBatch`] and [`OptimError::NeedsClosure`] for variants that evaluate more
    /// than the two gradients, and what parameter space refuses. The model is dropped with an
    /// error; pass a clone (it shares the tensors) to keep it.
    pub fn ascend<M: Module>(
        &self,
        lr: impl Into<ModuleLearningRate>,
        model: M,
        gradients: &GradientsParams,
    ) -> Result<Ascended<M>, OptimError> {
        if let Some(feature) = self.needs_batch() {
            return Err(OptimError::NeedsBatch { feature });
        }
        if matches!(self.config.ascent, Ascent::Projected { .. }) {
            return Err(OptimError::NeedsClosure {
                feature: "projected ascent",
            });
        }
        let lr = lr.into();
        let space = self.space(&model)?;
        let plan = self.plan(lr.base())?;
        let gradient = LeafVector::from_gradients(&space, gradients)?;
        let first = self.aim(&model, gradient, LossValue::Unknown, None, &plan)?;
        let mut report = Self::report(&plan, first.loss, first.square, &first.gradient);
        let displaced = match first.displacement {
            Some((direction, scale)) if first.square.is_finite() => {
                Some(direction.displace(&model, scale)?)
            }
            _ => None,
        };
        if !first.square.is_finite() {
            report.skipped = Some(SkipReason::NonFinite);
        }
        Ok(Ascended {
            original: model,
            displaced,
            space,
            gradient: first.gradient,
            plain_square: first.square,
            report,
            is_inside: plan.is_inside,
            lr,
        })
    }

    /// The descent: gives the original weights back, moved by the base optimizer along the
    /// combination of both gradients.
    ///
    /// `gradients` are those at [`Ascended::module`]; `None` where
    /// [`Ascended::wants_gradient`] is false.
    ///
    /// # Errors
    ///
    /// [`OptimError::MissingGradient`], and what parameter space refuses.
    pub fn descend<M: Module>(
        &mut self,
        ascended: Ascended<M>,
        gradients: impl Into<Option<GradientsParams>>,
    ) -> Result<(M, StepReport), OptimError> {
        let Ascended {
            original,
            displaced,
            space,
            gradient,
            plain_square,
            mut report,
            ..
        } = ascended;
        let (is_inside, lr) = (ascended.is_inside, ascended.lr);
        let wants_gradient = displaced.is_some();
        drop(displaced);
        if report.skipped.is_some() {
            self.state.step += 1;
            return Ok((original, report));
        }
        let second = match (wants_gradient, gradients.into()) {
            (false, _) => None,
            (true, None) => return Err(OptimError::MissingGradient),
            (true, Some(gradients)) => {
                let perturbed = LeafVector::from_gradients(&space, &gradients)?;
                let unread = [LossValue::Unknown];
                let known = Some(plain_square);
                let (products, _) = Self::products(&gradient, &perturbed, known, &unread)?;
                report.gradients += 1;
                report.cosine = products.cosine();
                if !products.perturbed.is_finite() {
                    report.skipped = Some(SkipReason::NonFinitePerturbed);
                    self.state.step += 1;
                    return Ok((original, report));
                }
                Some((perturbed, products))
            }
        };
        let model = self.finish(&lr, original, gradient, second, is_inside)?;
        Ok((model, report))
    }

    /// Which part of the configuration needs the batch itself, if any.
    fn needs_batch(&self) -> Option<&'static str> {
        if self.config.group_size.is_some() {
            Some("m-sharpness (`group_size`)")
        } else if self.config.selection.is_some() {
            Some("data selection (`selection`)")
        } else if self.config.metric.needs_examples() {
            Some("a Fisher metric of example gradients")
        } else {
            None
        }
    }

    /// The model's space, after the check for parameters that occur twice.
    pub(super) fn space<M: Module>(&self, model: &M) -> Result<ParamSpace, OptimError> {
        let space = ParamSpace::of(model)?;
        if self.config.tied == Tied::Refuse {
            refuse_ties(&space)?;
        }
        Ok(space)
    }

    fn plan(&self, lr: f64) -> Result<Plan, OptimError> {
        check_lr(lr)?;
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
        let rho = match is_inside {
            true => self.config.schedule.rho(self.config.rho, step, lr),
            false => 0.0,
        };
        let wants_second = is_inside
            && self
                .config
                .combination
                .wants_second(ascents, kept.is_some());
        Ok(Plan {
            lr,
            rho,
            is_inside,
            wants_second,
        })
    }

    fn report(plan: &Plan, loss: Option<f64>, square: f64, gradient: &LeafVector) -> StepReport {
        StepReport {
            loss,
            perturbed_loss: None,
            gradient_norm: square.sqrt(),
            cosine: None,
            rho: plan.rho,
            gradients: 1,
            sam_edge: sam_edge(square.sqrt(), plan.rho, plan.lr),
            without_gradient: gradient.num_absent(),
            skipped: None,
        }
    }

    /// Finds the displacement, and reads the loss and the norm of the gradient, in one transfer.
    fn aim<M: Module>(
        &self,
        model: &M,
        gradient: LeafVector,
        loss: LossValue,
        squares: Option<LeafVector>,
        plan: &Plan,
    ) -> Result<Ascending, OptimError> {
        let config = &self.config;
        let (scalars, known_loss) = loss.split();
        if !plan.wants_second {
            let (dots, values) = LeafVector::dots(&[(&gradient, &gradient)], &scalars)?;
            let loss = known_loss.or(values.first().copied());
            return Ok(Ascending {
                gradient,
                square: dots[0],
                loss,
                displacement: None,
            });
        }
        let space = gradient.space().clone();
        let factors: Vec<f64> = space
            .leaves()
            .iter()
            .map(|leaf| rho::factor(&config.groups, leaf))
            .collect();
        let is_excluded = |index: usize| factors[index] == 0.0;
        let mut direction = config
            .source
            .direction(&gradient, self.state.average.as_ref())?;
        if factors.contains(&0.0) {
            let mut index = 0..;
            direction = direction.map_all(|_, value| {
                let excluded = index.next().is_some_and(is_excluded);
                if excluded { None } else { value }
            });
        }
        let weights = match config.metric.needs_weights() {
            true => Some(LeafVector::from_module(&space, model)?),
            false => None,
        };
        let squares = match squares {
            Some(squares) => squares,
            None if config.metric == super::Metric::Euclidean => LeafVector::zeros(&space),
            None => gradient.times(&gradient)?,
        };
        let aimed = config
            .metric
            .apply_squared(&direction, weights.as_ref(), &squares)?;
        let pairs = [(&gradient, &gradient), (&direction, &aimed)];
        // In plain SAM both are the same number.
        let is_plain = config.metric == super::Metric::Euclidean
            && config.source == super::Source::Gradient
            && !factors.contains(&0.0);
        let pairs = if is_plain { &pairs[..1] } else { &pairs };
        let (dots, values) = LeafVector::dots(pairs, &scalars)?;
        let loss = known_loss.or(values.first().copied());
        let length = dots.last().copied().unwrap_or(0.0).max(0.0).sqrt();
        let mut scale = plan.rho / (length + 1e-12);
        if factors.iter().any(|&factor| factor != 1.0) {
            let mut index = 0..;
            direction = aimed.map_all(|_, value| {
                let factor = index.next().map_or(1.0, |index: usize| factors[index]);
                value.map(|value| value * factor)
            });
        } else {
            direction = aimed;
        }
        if let Some(mask) = &config.mask {
            direction = mask.apply(direction, self.state.step);
            scale /= mask.keep;
        }
        let displacement = Some((direction, scale));
        Ok(Ascending {
            gradient,
            square: dots[0],
            loss,
            displacement,
        })
    }

    /// A whole step. On an error, and when the first pass was not finite, the running statistics
    /// are put back.
    pub(super) fn run<M: Module>(
        &mut self,
        lr: ModuleLearningRate,
        model: &mut M,
        space: &ParamSpace,
        oracle: &mut dyn Oracle<M>,
    ) -> Result<StepReport, OptimError> {
        let before = BufferSnapshot::of(model);
        let result = self.run_unguarded(&lr, model, space, oracle);
        let is_poisoned = match &result {
            Ok(report) => report.skipped == Some(SkipReason::NonFinite),
            Err(_) => true,
        };
        if is_poisoned {
            *model = before.restore(model.clone());
        }
        result
    }

    fn run_unguarded<M: Module>(
        &mut self,
        lr: &ModuleLearningRate,
        model: &mut M,
        space: &ParamSpace,
        oracle: &mut dyn Oracle<M>,
    ) -> Result<StepReport, OptimError> {
        let plan = self.plan(lr.base())?;
        let mut plain = Sum::default();
        let mut perturbed = Sum::default();
        let mut square = None;
        let mut loss = Some(0.0);
        let mut gradients = 0;
        for part in 0..oracle.num_parts() {
            let weight = oracle.weight(part);
            self.reseed(space, part);
            let Evaluation {
                loss: value,
                gradients: grads,
            } = oracle.first(part, model)?;
            gradients += 1;
            let gradient = LeafVector::from_gradients(space, &grads)?;
            drop(grads);
            let squares = match self.config.metric.needs_examples() && plan.wants_second {
                true => {
                    let (squares, count) = oracle.example_squares(part, &unshared_copy(model))?;
                    gradients += count;
                    Some(squares)
                }
                false => None,
            };
            let first = self.aim(model, gradient, value, squares, &plan)?;
            loss = loss
                .zip(first.loss)
                .map(|(sum, value)| sum + weight * value);
            square = Some(first.square);
            if !first.square.is_finite() || first.loss.is_some_and(|loss| !loss.is_finite()) {
                let mut report = Self::report(&plan, first.loss, first.square, &first.gradient);
                report.skipped = Some(SkipReason::NonFinite);
                self.state.step += 1;
                return Ok(report);
            }
            if let Some((direction, scale)) = first.displacement {
                let (second, taken) =
                    self.second_pass(part, model, direction, scale, &plan, oracle)?;
                gradients += taken;
                let gradient = LeafVector::from_gradients(space, &second.gradients)?;
                perturbed.add(weight, gradient, Some(second.loss))?;
            }
            plain.add(weight, first.gradient, None)?;
        }
        let Some(gradient) = plain.vector else {
            return Err(crate::loss::LossError::EmptyBatch { batch: 0 }.into());
        };
        let known = square.filter(|_| oracle.num_parts() == 1);
        let square = match known {
            Some(square) => square,
            None => gradient.dot(&gradient)?,
        };
        let mut report = Self::report(&plan, loss, square, &gradient);
        report.gradients = gradients;
        let second = match perturbed.vector {
            None => None,
            Some(vector) => {
                let (products, losses) =
                    Self::products(&gradient, &vector, Some(square), &perturbed.losses)?;
                report.cosine = products.cosine();
                report.perturbed_loss = losses
                    .iter()
                    .zip(&perturbed.weights)
                    .try_fold(0.0, |sum, (loss, weight)| Some(sum + weight * (*loss)?));
                let is_finite = report.perturbed_loss.is_none_or(f64::is_finite);
                if !products.perturbed.is_finite() || !is_finite {
                    report.skipped = Some(SkipReason::NonFinitePerturbed);
                    self.state.step += 1;
                    return Ok(report);
                }
                Some((vector, products))
            }
        };
        *model = self.finish(lr, model.clone(), gradient, second, plan.is_inside)?;
        Ok(report)
    }

    /// The pass at displaced weights, and the number of gradients it took.
    fn second_pass<M: Module>(
        &self,
        part: usize,
        model: &M,
        direction: LeafVector,
        scale: f64,
        plan: &Plan,
        oracle: &mut dyn Oracle<M>,
    ) -> Result<(Evaluation, usize), OptimError> {
        let space = direction.space().clone();
        let mut evaluate = |model: &M| {
            self.reseed(&space, part);
            oracle.displaced(part, model)
        };
        match &self.config.ascent {
            Ascent::OneStep => {
                let displaced = direction.displace(model, scale)?;
                drop(direction);
                Ok((evaluate(&displaced)?, 1))
            }
            Ascent::Projected {
                steps,
                restarts,
                step_size,
                seed,
            } => super::projected::maximize(
                model,
                direction.scale(scale),
                super::projected::Search {
                    rho: plan.rho,
                    steps: *steps,
                    restarts: *restarts,
                    step_size: *step_size,
                    seed: mix(*seed, self.state.step as u64),
                },
                &mut evaluate,
            ),
        }
    }

    /// The inner products of both gradients, and the losses of the second pass.
    fn products(
        plain: &LeafVector,
        perturbed: &LeafVector,
        known: Option<f64>,
        losses: &[LossValue],
    ) -> Result<(Products, Vec<Option<f64>>), OptimError> {
        let pairs = [(perturbed, perturbed), (plain, perturbed), (plain, plain)];
        let pairs = if known.is_some() {
            &pairs[..2]
        } else {
            &pairs[..]
        };
        let mut scalars = Vec::new();
        for loss in losses {
            scalars.extend(loss.tensor());
        }
        let (dots, values) = LeafVector::dots(pairs, &scalars)?;
        let mut values = values.into_iter();
        let losses = losses.iter().map(|loss| match loss {
            LossValue::Tensor(_) => values.next(),
            LossValue::Number(number) => Some(*number),
            LossValue::Unknown => None,
        });
        let plain = known.or(dots.get(2).copied()).unwrap_or(0.0);
        Ok((
            Products {
                perturbed: dots[0],
                mixed: dots[1],
                plain,
            },
            losses.collect(),
        ))
    }

    /// Combines, lets the base step, and remembers.
    fn finish<M: Module>(
        &mut self,
        lr: &ModuleLearningRate,
        model: M,
        gradient: LeafVector,
        second: Option<(LeafVector, Products)>,
        is_inside: bool,
    ) -> Result<M, OptimError> {
        let config = &self.config;
        let kept = &mut self.state.kept;
        let Descent {
            gradient: descent,
            shift,
        } = match second {
            Some((perturbed, products)) => config
                .combination
                .combine(&gradient, &perturbed, products, kept)?,
            None if is_inside => Descent {
                gradient: config
                    .combination
                    .without_second(&gradient, kept.as_ref())?,
                shift: None,
            },
            None => Descent {
                gradient: gradient.clone(),
                shift: None,
            },
        };
        if is_inside {
            self.state.average = config
                .source
                .average(&gradient, self.state.average.take())?;
            self.state.ascents += 1;
        }
        self.state.step += 1;
        let space = gradient.space().clone();
        drop(gradient);
        let mut model = self.base.step(lr.clone(), model, descent.into_gradients());
        if let Some(shift) = shift {
            let shift = shift
                .map(|leaf, value| Some(value * lr.lr_from_param(leaf.id(), Some(leaf.path()))));
            model = shift.displace(&model, -1.0)?;
        }
        if space
            .leaves()
            .iter()
            .any(|leaf| !leaf.duplicates().is_empty())
        {
            model = LeafVector::from_module(&space, &model)?.apply_to(&model)?;
        }
        Ok(model)
    }

    /// Both passes of a part draw the same random numbers, if the configuration says so.
    fn reseed(&self, space: &ParamSpace, part: usize) {
        if let Some(seed) = self.config.dropout_seed {
            space
                .device()
                .seed(mix(mix(seed, self.state.step as u64), part as u64));
        }
    }
}

/// A weighted sum of gradients.
#[derive(Default)]
struct Sum {
    vector: Option<LeafVector>,
    weights: Vec<f64>,
    losses: Vec<LossValue>,
}

impl Sum {
    fn add(
        &mut self,
        weight: f64,
        vector: LeafVector,
        loss: Option<LossValue>,
    ) -> Result<(), OptimError> {
        self.vector = Some(match self.vector.take() {
            None => vector.scale(weight),
            Some(sum) => sum.linear(1.0, weight, &vector)?,
        });
        self.weights.push(weight);
        self.losses.extend(loss);
        Ok(())
    }
}

pub(super) fn check_lr(lr: f64) -> Result<(), OptimError> {
    if lr.is_finite() && lr >= 0.0 {
        Ok(())
    } else {
        Err(OptimError::LearningRate { lr })
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
