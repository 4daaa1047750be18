use std::ops::ControlFlow;

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::tensor::Tensor;

use super::error::check_no_group;
use super::fit_closure::FitClosure;
use super::fit_step::{FitReport, FitStep};
use super::{Curve, CurveFitterConfig, FitCheckpoint, PathError};
use crate::loss::{Batch, Lift, LossError, Mode, Objective, Progress, Risk, Work, each};
use crate::optim::{ClosureStep, OptimRecord, SkipReason};
use crate::space::{LeafVector, ParamSpace, copy_for_gradients, renamed_copy};

/// A fit of a curve under way. Built by [`CurveFitterConfig::init`], which describes it.
///
/// [`run`](Self::run) passes over a data set. In your own loop, with shuffled batches for instance, call
/// [`step`](Self::step); [`curve`](Self::curve) is the curve as it stands.
pub struct CurveFitter<M, C, O> {
    config: CurveFitterConfig,
    curve: C,
    optimizer: O,
    scheduler: ModuleLrScheduler,
    /// The free control points as one module, each with identifiers of its own: so any optimizer
    /// serves, and keeps a state for each.
    free: Vec<M>,
    free_space: ParamSpace,
    /// The model that becomes the point of the curve, in the mode of the fit.
    template: M,
    space: ParamSpace,
    position: Position,
    report: FitReport,
}

/// How far a fit has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Position {
    steps: usize,
    epoch: usize,
    /// Batches of the epoch that are done.
    batches: usize,
}

const KIND: &str = "curve fitter";

impl<M, C, O> std::fmt::Debug for CurveFitter<M, C, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CurveFitter")
            .field("config", &self.config)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl<M: Module, C: Curve<M>, O> CurveFitter<M, C, O> {
    pub(super) fn new(
        config: CurveFitterConfig,
        curve: C,
        optimizer: O,
    ) -> Result<Self, PathError> {
        let points = curve.control_points();
        let template = copy_for_gradients(points.first(), config.mode == Mode::Train);
        let space = ParamSpace::of(&template)?;
        let free =
            points.inner().iter().enumerate().map(|(index, vector)| {
                Ok(renamed_copy(&vector.apply_to(&template)?, index as u64))
            });
        let free = free.collect::<Result<Vec<M>, PathError>>()?;
        Ok(Self {
            free_space: ParamSpace::of(&free)?,
            scheduler: config.rate.0.clone(),
            config,
            curve,
            optimizer,
            free,
            template,
            space,
            position: Position::default(),
            report: FitReport::default(),
        })
    }

    /// The curve with its control points where they are now.
    ///
    /// # Errors
    ///
    /// [`PathError::Space`].
    pub fn curve(&self) -> Result<C, PathError> {
        let inner = LeafVector::from_module(&self.free_space, &self.free)?.split_into(&self.space);
        let points = self.curve.control_points().with_inner(inner)?;
        Ok(self.curve.with_control_points(points))
    }

    /// Steps so far.
    pub fn num_steps(&self) -> usize {
        self.position.steps
    }

    /// Passes over the data that [`run`](Self::run) has finished.
    pub fn num_epochs(&self) -> usize {
        self.position.epoch
    }

    /// The work of the last [`run`](Self::run): steps, gradients and loss, and whether the observer stopped it.
    pub fn report(&self) -> &FitReport {
        &self.report
    }

    /// One step on a batch.
    ///
    /// # Errors
    ///
    /// [`PathError::NonFinite`] if loss or gradient are not finite at the places of this step; the
    /// control points are unchanged and the fit can continue. [`PathError::Optim`] and
    /// [`PathError::Loss`] for what the optimizer, the objective or the gradients are refused for.
    pub fn step<B, L>(&mut self, batch: B, objective: &L) -> Result<FitStep, PathError>
    where
        B: Batch,
        L: Objective<M, B>,
        O: ClosureStep,
    {
        let batch = crate::loss::lifted(&self.template, batch);
        self.step_on(&|model| objective.loss(model, batch.clone()))
    }

    /// One step on the loss of a batch.
    fn step_on(&mut self, loss: &dyn Fn(&M) -> Tensor<1>) -> Result<FitStep, PathError>
    where
        O: ClosureStep,
    {
        let sampling = self.config.sampling;
        let pieces = self.curve.num_pieces();
        let first = self.position.steps * self.config.times_per_step;
        let draws = (first..first + self.config.times_per_step)
            .map(|index| sampling.draw(self.config.seed, index as u64, pieces));
        let draws: Vec<(f64, f64)> = draws.collect();
        let weights = draws.iter().map(|&(t, _)| self.curve.weights(t));
        let weights = weights.collect::<Result<Vec<_>, _>>()?;
        self.position.steps += 1;
        let closure = FitClosure {
            config: &self.config,
            points: self.curve.control_points(),
            template: &self.template,
            space: &self.space,
            free_space: &self.free_space,
            draws: &draws,
            weights: &weights,
        };
        let report = self.optimizer.closure_step(
            self.scheduler.step(),
            &mut self.free,
            |free: &Vec<M>| closure.evaluate(free, loss),
        )?;
        let times: Vec<f64> = draws.into_iter().map(|(t, _)| t).collect();
        if report.skipped == Some(SkipReason::NonFinite) {
            return Err(PathError::NonFinite {
                what: "the loss or its gradient".to_string(),
                t: times[0],
                batch: self.position.batches,
                value: report.loss.unwrap_or(f64::NAN),
            });
        }
        Ok(FitStep {
            step: self.position.steps,
            epoch: self.position.epoch,
            times,
            weights,
            loss: report.loss.unwrap_or(f64::NAN),
            report,
        })
    }

    /// Passes over the data of `risk` until `epochs` passes are done, those before a checkpoint included, and returns
    /// the curve as it then stands. An observer sees every step; a break ends the fit after the step, and a later
    /// call continues it. [`report`](Self::report) has the numbers.
    ///
    /// Every parameter moves. The model is in the mode of the fit ([`CurveFitterConfig::with_mode`]), which trains
    /// by default, whatever the mode of the risk. With a [draws seed](Risk::with_draws_seed) the random
    /// numbers of a step are a function of the seed and of the number of the step; without one they come from
    /// the device's stream, as in training.
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step), [`LossError::EmptyData`], and [`PathError::Group`] for a risk with a group.
    pub fn run<K>(&mut self, risk: &Risk<'_, M, K>, epochs: usize) -> Result<C, PathError>
    where
        O: ClosureStep,
    {
        check_no_group("a curve fit", risk)?;
        self.report = FitReport::default();
        while self.position.epoch < epochs {
            let done = self.position.batches;
            let lift = Lift::for_gradients(&self.template);
            let completed = each(&**risk.source(), |index, batch| {
                if index < done {
                    return Ok(ControlFlow::Continue(()));
                }
                let draws = risk.draws();
                let _draws = draws.of_step(self.space.device(), self.position.steps)?;
                let step = self.step_on(&|model| batch.loss(model, lift, risk.reduction()))?;
                self.position.batches += 1;
                self.report.add(&step);
                let progress = Progress::new(Work::Step, step.step).value(step.loss);
                Ok::<_, PathError>(risk.report(progress))
            })?;
            if !completed {
                return self.curve();
            }
            if self.position.batches == 0 {
                return Err(LossError::EmptyData.into());
            }
            self.position.epoch += 1;
            self.position.batches = 0;
        }
        self.report.completed = true;
        self.curve()
    }

    /// The state of the fit: control points, optimizer, scheduler, and its place in the data.
    ///
    /// # Errors
    ///
    /// [`PathError::Optim`].
    pub fn to_checkpoint(&self) -> Result<FitCheckpoint, PathError>
    where
        O: ClosureStep,
    {
        let Position {
            steps,
            epoch,
            batches,
        } = self.position;
        let points = LeafVector::from_module(&self.free_space, &self.free)?;
        let points = OptimRecord::new(KIND, &self.free)?
            .with_counter("steps", steps as f64)
            .with_counter("epoch", epoch as f64)
            .with_counter("batches", batches as f64)
            .with_counter("seed.high", (self.config.seed >> 32) as f64)
            .with_counter("seed.low", (self.config.seed & 0xFFFF_FFFF) as f64)
            .with_vector("points", Some(&points))?;
        FitCheckpoint::new(
            points,
            self.optimizer.save_state(&self.free)?,
            self.scheduler.to_record(),
        )
    }

    /// Restores a checkpoint, in a fit that was started with the same curve, settings, kind of
    /// optimizer and scheduler. It continues as the other would have, to the last bit, given the same
    /// data.
    ///
    /// # Errors
    ///
    /// [`PathError::OtherFit`] for another seed, [`PathError::Optim`] for another model or optimizer.
    pub fn resume(mut self, checkpoint: FitCheckpoint) -> Result<Self, PathError>
    where
        O: ClosureStep,
    {
        let (points, optimizer, scheduler) = checkpoint.into_parts();
        let space = points.check(KIND, &self.free)?;
        let counter = |name: &str| points.counter(name).unwrap_or(0.0);
        let seed = ((counter("seed.high") as u64) << 32) | counter("seed.low") as u64;
        if seed != self.config.seed {
            return Err(PathError::OtherFit {
                difference: format!("its seed is {seed}, this one's {}", self.config.seed),
            });
        }
        let Some(vector) = points.vector("points", &space) else {
            return Err(PathError::OtherFit {
                difference: "it has no control points".to_string(),
            });
        };
        self.position = Position {
            steps: counter("steps") as usize,
            epoch: counter("epoch") as usize,
            batches: counter("batches") as usize,
        };
        self.free = vector.apply_to(&self.free)?;
        self.optimizer = self.optimizer.load_state(optimizer, &self.free)?;
        self.scheduler = self.scheduler.load_record(scheduler);
        Ok(self)
    }
}
