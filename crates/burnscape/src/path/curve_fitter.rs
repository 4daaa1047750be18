use std::ops::ControlFlow;

use burn::module::Module;
use burn::optim::lr_scheduler::LrSchedulerRecord;
use burn::tensor::{Bytes, Tensor};
use serde::{Deserialize, Serialize};

use super::error::check_no_group;
use super::fit_step::{FitStep, Place};
use super::free_points::FreePoints;
use super::{Curve, CurveFitterConfig, FitReport, PathError};
use crate::loss::{Batch, Lift, LossError, Objective, Progress, Risk, Work, each};
use crate::optim::record::{failed, missing};
use crate::optim::{ClosureStep, OptimRecord, StepReport};
use crate::space::LeafVector;

/// The fit of a curve. Made by [`CurveFitterConfig::init`].
///
/// [`run`](Self::run) passes over a data set. In your own loop, for instance with shuffled batches, call
/// [`step`](Self::step); [`curve`](Self::curve) returns the current curve.
pub struct CurveFitter<M, C, O> {
    config: CurveFitterConfig,
    curve: C,
    free: FreePoints<M, O>,
    position: Position,
    report: FitReport,
}

/// The progress of a fit.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Position {
    steps: usize,
    epoch: usize,
    /// Batches done in this epoch.
    batches: usize,
}

/// The state of a fit, but for control points, optimizer and scheduler.
#[derive(Debug, Serialize, Deserialize)]
struct FitState {
    position: Position,
    seed: u64,
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
        let (first, inner) = (points.first(), points.inner());
        let free = FreePoints::new(first, inner, config.mode, optimizer, &config.rate)?;
        Ok(Self {
            config,
            curve,
            free,
            position: Position::default(),
            report: FitReport::default(),
        })
    }

    /// The curve with its current control points.
    ///
    /// # Errors
    ///
    /// [`PathError::Space`].
    pub fn curve(&self) -> Result<C, PathError> {
        let inner = self.free.vectors()?;
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

    /// The places at which the next step takes the loss: a function of the seed and the number of the step.
    pub fn next_times(&self) -> Vec<f64> {
        self.draws().into_iter().map(|(t, _)| t).collect()
    }

    /// Place and share of each loss in the next step.
    fn draws(&self) -> Vec<(f64, f64)> {
        let count = self.config.times_per_step;
        let first = self.position.steps * count;
        let draw = |index: usize| {
            let pieces = self.curve.num_pieces();
            let sampling = self.config.sampling;
            sampling.draw(self.config.seed, index as u64, pieces)
        };
        (first..first + count).map(draw).collect()
    }

    /// The work of the last [`run`](Self::run).
    pub fn report(&self) -> &FitReport {
        &self.report
    }

    /// One step on a batch. The loss of the report is without weight decay: the mean over the places of the step,
    /// weighted in a quadrature.
    ///
    /// # Errors
    ///
    /// [`PathError::NonFinite`] if loss or gradient are not finite at a place of this step; the
    /// control points are unchanged and the fit can continue. [`PathError::Optim`] and
    /// [`PathError::Loss`] if the optimizer, the objective or the gradients fail.
    pub fn step<B, L>(&mut self, batch: B, objective: &L) -> Result<StepReport, PathError>
    where
        B: Batch,
        L: Objective<M, B>,
        O: ClosureStep,
    {
        let batch = crate::loss::lifted(&self.free.space.template, batch);
        self.step_on(&|model| objective.loss(model, batch.clone()))
    }

    /// One step on the loss of a batch.
    fn step_on(&mut self, loss: &dyn Fn(&M) -> Tensor<1>) -> Result<StepReport, PathError>
    where
        O: ClosureStep,
    {
        let draws = self.draws();
        let places = draws.iter().map(|&(t, share)| {
            let weights = self.curve.weights(t)?;
            Ok(Place { share, weights })
        });
        let places = places.collect::<Result<Vec<Place>, PathError>>()?;
        self.position.steps += 1;
        let step = FitStep {
            points: self.curve.control_points().vectors(),
            first_free: 1,
            places: &places,
            weight_decay: self.config.weight_decay,
            max_gradient_norm: self.config.max_gradient_norm,
            regularizer: None,
        };
        step.run(&mut self.free, loss, draws[0].0, self.position.batches)
    }

    /// Passes over the data of `risk` until `epochs` passes are done, including those before a record, and returns
    /// the curve. An observer sees every step; a break ends the fit after the step, and a later call continues it.
    /// [`report`](Self::report) has the numbers.
    ///
    /// Every parameter moves. The model is in the mode of the fit ([`CurveFitterConfig::with_mode`]), by default in
    /// training mode, whatever the mode of the risk. With a [draws seed](Risk::with_draws_seed) the random
    /// numbers of a step are a function of the seed and the number of the step; without one they come from
    /// the device, as in training. Steps are taken on the device of the ends, one batch after another: further devices of
    /// the [risk](Risk::with_devices) are not used.
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
            let lift = Lift::for_gradients(&self.free.space.template);
            let completed = each(&**risk.source(), |index, batch| {
                if index < done {
                    return Ok(ControlFlow::Continue(()));
                }
                let draws = risk.draws();
                let _draws = draws.of_step(self.free.space.point.device(), self.position.steps)?;
                let step = self.step_on(&|model| batch.loss(model, lift, risk.reduction()))?;
                self.position.batches += 1;
                self.report.add(&step);
                let progress = Progress::new(Work::Step, self.position.steps).value(step.loss);
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

    /// The state of the fit: control points, optimizer, scheduler, and the position in the data.
    ///
    /// # Errors
    ///
    /// [`PathError::Optim`].
    pub fn to_record(&self) -> Result<OptimRecord, PathError>
    where
        O: ClosureStep,
    {
        let FreePoints {
            models,
            space,
            optimizer,
            scheduler,
        } = &self.free;
        let points = LeafVector::from_module(&space.all, models)?;
        let optimizer = optimizer.save_state(models)?.into_bytes()?;
        let scheduler = scheduler.to_record().into_bytes().map_err(failed)?;
        let state = FitState {
            position: self.position,
            seed: self.config.seed,
        };
        Ok(OptimRecord::new(KIND, models)?
            .with_state(&state)?
            .with_vector("points", Some(&points))?
            .with_bytes("optimizer", optimizer.to_vec())
            .with_bytes("scheduler", scheduler.to_vec()))
    }

    /// Restores a record, in a fit that was started with the same curve, settings, kind of
    /// optimizer and scheduler. It then continues as the recorded fit would have, to the last bit, given the same
    /// data.
    ///
    /// # Errors
    ///
    /// [`PathError::OtherFit`] for another seed, [`PathError::Optim`] for another model or optimizer, or an incomplete
    /// record.
    pub fn resume(mut self, record: OptimRecord) -> Result<Self, PathError>
    where
        O: ClosureStep,
    {
        let space = record.check(KIND, &self.free.models)?;
        let FitState { position, seed } = record.state()?;
        if seed != self.config.seed {
            return Err(PathError::OtherFit {
                difference: format!(
                    "the record has seed {seed}, this fit has seed {}",
                    self.config.seed
                ),
            });
        }
        let points = record.vector("points", &space);
        let points = points.ok_or_else(|| missing("points"))?;
        let bytes = |name: &str| record.bytes(name).map(Bytes::from_bytes_vec);
        let optimizer = OptimRecord::from_bytes(bytes("optimizer")?)?;
        let scheduler = LrSchedulerRecord::from_bytes(bytes("scheduler")?).map_err(failed)?;
        self.position = position;
        self.free.models = points.apply_to(&self.free.models)?;
        self.free.optimizer = self
            .free
            .optimizer
            .load_state(optimizer, &self.free.models)?;
        self.free.scheduler = self.free.scheduler.load_record(scheduler);
        Ok(self)
    }
}
