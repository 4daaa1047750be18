use std::ops::ControlFlow;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::tensor::Tensor;
use burnscape_krylov::Outcome;

use super::filter::active;
use super::midpoints::Midpoints;
use super::{
    AlignError, Alignment, AlignmentRecord, CoordinateDescentConfig, Matching, StartRecord,
    StraightThroughConfig, WeightSimilarity,
};
use crate::loss::scalar::{called, gradients};
use crate::loss::{Lift, LossError, Mode, Progress, Risk, Work, each};
use crate::optim::{ClosureStep, SkipReason};
use crate::range::ensure;
use crate::space::{LeafVector, ParamSpace, copy_for_gradients, mix, unshared_copy};
use crate::symmetry::{Element, Symmetries};

/// A straight-through matching, with the model that it learns. Made by [`StraightThroughConfig::init`].
pub struct StraightThrough<M, O> {
    projector: Projector<M>,
    midpoints: Midpoints<M>,
    learned: M,
    space: ParamSpace,
    optimizer: O,
    scheduler: ModuleLrScheduler,
    position: Position,
    best: Option<Best>,
    /// Minus the loss of each element that was the best one.
    objectives: Vec<f64>,
}

/// The progress of a search.
#[derive(Debug, Clone, Copy, Default)]
struct Position {
    steps: usize,
    epoch: usize,
    /// Batches done in this epoch.
    batches: usize,
}

/// The element with the smallest loss at the midpoint.
#[derive(Debug)]
struct Best {
    element: Element,
    loss: f64,
    /// Whether the loss is that of all data.
    is_whole: bool,
}

impl<M, O> std::fmt::Debug for StraightThrough<M, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StraightThrough")
            .field("position", &self.position)
            .field("best", &self.best)
            .finish_non_exhaustive()
    }
}

impl<M: Module, O> StraightThrough<M, O> {
    pub(super) fn new(
        config: &StraightThroughConfig,
        symmetries: &Symmetries,
        a: &M,
        b: &M,
        optimizer: O,
    ) -> Result<Self, AlignError> {
        let projection = config.projection.clone();
        ensure("starts", projection.starts as f64, 1.0..)?;
        ensure("max_sweeps", projection.max_sweeps as f64, 1.0..)?;
        let is_active = active(symmetries, &projection.only, &projection.except)?;
        let learned = copy_for_gradients(a, false);
        Ok(Self {
            midpoints: Midpoints::new(symmetries, &learned, b)?,
            projector: Projector {
                symmetries: symmetries.clone(),
                groups: (0..is_active.len())
                    .filter(|&group| is_active[group])
                    .collect(),
                config: projection,
                b: unshared_copy(b),
                element: None,
                num_projections: 0,
                num_assignments: 0,
            },
            space: ParamSpace::of(&learned)?,
            learned,
            optimizer,
            scheduler: config.rate.clone(),
            position: Position::default(),
            best: None,
            objectives: Vec::new(),
        })
    }

    /// Steps so far.
    pub fn num_steps(&self) -> usize {
        self.position.steps
    }

    /// Passes over the data of `risk` until `epochs` passes are done, and returns the best element so far: its
    /// objective is minus the loss at the midpoint, and the record has one start, with a sweep for each pass.
    ///
    /// Models are evaluated in the [mode](Risk::with_mode) of the risk. With batch normalization that has to be
    /// [`Mode::Train`], which normalizes the midpoint by the statistics of each batch: in [`Mode::Eval`] it would have the
    /// mean of the running statistics of both models, which does not fit its weights. An observer sees every step, with the
    /// loss of its batch, and the batches of evaluations. A break ends the search after the step; a later call continues it.
    ///
    /// # Errors
    ///
    /// [`AlignError::Diverged`] if a loss, a gradient or a learned parameter is not finite; [`AlignError::NonFinite`] for a
    /// parameter of `a` or `b`; [`AlignError::ParameterGroup`] for a risk with a group; [`AlignError::RunningStatistics`]
    /// for models with running statistics and a risk in evaluation mode; [`AlignError::Loss`], [`AlignError::Optim`],
    /// [`AlignError::Space`] and [`AlignError::Symmetry`].
    pub fn run<K>(
        &mut self,
        risk: &Risk<'_, M, K>,
        epochs: usize,
    ) -> Result<Alignment<M>, AlignError>
    where
        O: ClosureStep,
    {
        self.midpoints.check_risk(risk)?;
        risk.observer().forget_break();
        let is_judged = self.best.as_ref().is_some_and(|best| best.is_whole);
        let mut completed = is_judged || self.judge(risk)?;
        let lift = Lift::for_gradients(&self.learned);
        let training = risk.mode() == Mode::Train;
        while completed && self.position.epoch < epochs {
            let done = self.position.batches;
            completed = each(&**risk.source(), |index, batch| {
                if index < done {
                    return Ok(ControlFlow::Continue(()));
                }
                let draws = risk.draws();
                let _draws = draws.of_step(self.space.device(), self.position.steps)?;
                let loss =
                    self.step(training, &|model| batch.loss(model, lift, risk.reduction()))?;
                self.position.batches += 1;
                let progress = Progress::new(Work::Step, self.position.steps).value(loss);
                Ok::<_, AlignError>(risk.report(progress))
            })?;
            if completed {
                if self.position.batches == 0 {
                    return Err(LossError::EmptyData.into());
                }
                self.position.epoch += 1;
                self.position.batches = 0;
                completed = self.judge(risk)?;
            }
        }
        self.alignment(completed)
    }

    /// One step of the learned model on a batch: the loss at the midpoint.
    fn step(
        &mut self,
        training: bool,
        loss: &dyn Fn(&M) -> Tensor<1>,
    ) -> Result<Option<f64>, AlignError>
    where
        O: ClosureStep,
    {
        let rate = self.scheduler.step();
        self.position.steps += 1;
        let step = self.position.steps;
        let Self {
            projector,
            midpoints,
            learned,
            space,
            optimizer,
            ..
        } = self;
        // Why a projection failed: a closure of an optimizer has errors of losses.
        let mut failure = None;
        let report = optimizer.closure_step(
            rate,
            learned,
            |learned: &M| -> Result<(Tensor<1>, GradientsParams), LossError> {
                let element = projector.project(learned, step).map_err(|error| {
                    let named = LossError::Panicked {
                        message: error.to_string(),
                    };
                    failure.get_or_insert(error);
                    named
                })?;
                let model = copy_for_gradients(&midpoints.at(&element), training);
                let value = called(|| loss(&model))?;
                let gradient = gradients(&value, &model)?;
                let gradient = LeafVector::from_gradients(space, &gradient)?.scale(0.5);
                Ok((value.inner(), gradient.into_gradients()))
            },
        );
        if let Some(failure) = failure {
            return Err(failure);
        }
        let report = report?;
        if report.skipped == Some(SkipReason::NonFinite) {
            return Err(AlignError::Diverged {
                what: "the loss at the midpoint, or its gradient,".to_string(),
                step,
                value: report.loss.unwrap_or(f64::NAN),
            });
        }
        Ok(report.loss)
    }

    /// Evaluates the midpoint of the learned model, unless it is known. False if the observer stopped it.
    fn judge<K>(&mut self, risk: &Risk<'_, M, K>) -> Result<bool, AlignError> {
        let step = self.position.steps;
        let element = self.projector.project(&self.learned, step)?;
        // The loss of a part of the data can be compared with nothing, but is better than no result.
        let best = self.best.take().filter(|best| best.is_whole);
        let found = match best {
            Some(best) if best.element == element => {
                self.best = Some(best);
                return Ok(true);
            }
            Some(best) => {
                let known = best.loss;
                self.best = Some(best);
                let found = risk.loss(&self.midpoints.at(&element))?;
                if !found.completed || found.value >= known {
                    return Ok(found.completed && !risk.take_break());
                }
                found
            }
            None => {
                self.objectives.clear();
                risk.loss(&self.midpoints.at(&element))?
            }
        };
        self.objectives.push(-found.value);
        self.best = Some(Best {
            element,
            loss: found.value,
            is_whole: found.completed,
        });
        Ok(found.completed && !risk.take_break())
    }

    fn alignment(&self, completed: bool) -> Result<Alignment<M>, AlignError> {
        let Some(Best { element, loss, .. }) = &self.best else {
            return Err(LossError::EmptyData.into());
        };
        let outcome = if completed {
            Outcome::LimitReached
        } else {
            Outcome::Stopped
        };
        Ok(Alignment {
            model: element.apply(&self.projector.b)?,
            element: element.clone(),
            objective: -loss,
            record: AlignmentRecord {
                groups: self.projector.groups.clone(),
                starts: vec![StartRecord {
                    objectives: self.objectives.clone(),
                    num_sweeps: self.position.epoch,
                    outcome,
                }],
                num_assignments: self.projector.num_assignments,
                completed,
                ..AlignmentRecord::default()
            },
        })
    }
}

/// Weight matching, each time from the last element on.
struct Projector<M> {
    symmetries: Symmetries,
    /// The active groups.
    groups: Vec<usize>,
    config: CoordinateDescentConfig,
    b: M,
    element: Option<Element>,
    num_projections: u64,
    num_assignments: usize,
}

impl<M: Module> Projector<M> {
    fn project(&mut self, learned: &M, step: usize) -> Result<Element, AlignError> {
        let similarity = WeightSimilarity::new(&self.symmetries, learned, &self.b);
        let similarity = similarity.map_err(|error| match error {
            AlignError::NonFinite {
                model: "a",
                path,
                value,
                ..
            } if step > 0 => AlignError::Diverged {
                what: format!("the learned parameter `{path}`"),
                step,
                value,
            },
            other => other,
        })?;
        let mut config = self.config.clone();
        if self.element.is_some() {
            config.starts = 0;
            config.seed = mix(config.seed, self.num_projections);
        }
        let mut matching = Matching::new(&config, Box::new(similarity), &self.b)?;
        if let Some(element) = &self.element {
            matching = matching.with_start(element.clone());
        }
        let found = matching.run()?;
        self.num_projections += 1;
        self.num_assignments += found.record.num_assignments;
        self.element = Some(found.element.clone());
        Ok(found.element)
    }
}
