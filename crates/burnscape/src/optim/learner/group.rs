use burn::module::Module;
use burn::train::{Learner, LearnerModel, TrainStep};

use super::SamStrategy;
use super::oracle::{LossOf, StepOracle};
use crate::optim::rate::shift_weights;
use crate::optim::sam::{DeviceOracles, SamMachine, StepDraws, StepLimit};
use crate::optim::ties::has_ties;
use crate::optim::{OptimError, StepReport};
use crate::space::{BufferSnapshot, LeafVector, ParamSpace};

/// A batch for each device; none for one whose data have ended.
pub(super) type Round<M> = Vec<Option<<M as TrainStep>::Input>>;

/// The batches of one optimizer step: a round, or as many as gradients are accumulated over.
///
/// Each batch has its first pass when it arrives, so that its metrics appear when Burn's would; the batch is kept for
/// the pass at the displaced weights.
pub(super) struct Group<'a, M: LearnerModel> {
    /// The learner's model at the weights of the step, or a copy if parameters are tied.
    pub(super) model: M,
    pub(super) space: ParamSpace,
    /// The running statistics before the first batch.
    before: BufferSnapshot,
    draws: StepDraws,
    loss_of: Option<&'a LossOf<M>>,
    work: Work<'a, M>,
    limit: StepLimit,
    pub(super) num_rounds: usize,
}

enum Work<'a, M: LearnerModel> {
    OneDevice(Box<StepOracle<'a, M>>),
    Devices(DeviceOracles<M, StepOracle<'a, M>>),
}

impl<'a, M> Group<'a, M>
where
    M: LearnerModel,
    <M as TrainStep>::Input: Clone,
{
    pub(super) fn open(
        machine: &SamMachine,
        learner: &Learner<M>,
        strategy: &'a SamStrategy<M>,
    ) -> Result<Self, OptimError> {
        // A clone: it shares the running statistics, which the first passes are to move.
        let mut model = learner.model();
        let space = machine.space(&model)?;
        if has_ties(&space) {
            // On its way into the learner each occurrence became a separate leaf, with a part of the gradient only.
            model = retied(&space, &model)?;
        }
        let draws = machine.draws();
        let loss_of = strategy.loss_of();
        let work = match strategy.step_devices() {
            Some(devices) => Work::Devices(devices.open(&machine.config, space.device())?),
            None => {
                let device = space.device().clone();
                let oracle = StepOracle::new(draws, device, (0, 1), loss_of);
                Work::OneDevice(Box::new(oracle))
            }
        };
        Ok(Self {
            before: BufferSnapshot::of(&model),
            limit: strategy.step_limit(space.device()),
            model,
            space,
            draws,
            loss_of,
            work,
            num_rounds: 0,
        })
    }

    /// The passes of new batches at the weights. Returns the outputs for Burn's metrics, in the order of the devices.
    pub(super) fn first_passes(
        &mut self,
        round: Round<M>,
    ) -> Result<Vec<<M as TrainStep>::Output>, OptimError> {
        self.num_rounds += 1;
        let model = &self.model;
        match &mut self.work {
            Work::OneDevice(oracle) => {
                let batches = round.into_iter().flatten();
                let outputs = batches.map(|batch| oracle.first_pass(model, batch));
                self.limit.in_time(|| outputs.collect())
            }
            Work::Devices(oracles) => {
                let (draws, loss_of) = (self.draws, self.loss_of);
                let distance = round.len();
                for (index, device) in oracles.devices().into_iter().enumerate() {
                    if round.get(index).is_some_and(Option::is_some) {
                        let places = (index, distance);
                        oracles.supply(index, || StepOracle::new(draws, device, places, loss_of));
                    }
                }
                oracles.hand_out(model, round, |oracle, copy, batch| {
                    oracle.first_pass(copy, batch)
                })
            }
        }
    }

    /// The ascent, the passes at the displaced weights and the step of the learner's optimizer.
    pub(super) fn step(
        self,
        machine: &mut SamMachine,
        learner: &mut Learner<M>,
    ) -> Result<StepReport, OptimError> {
        let Self {
            model,
            space,
            before,
            work,
            limit,
            ..
        } = self;
        let lr = learner.lr_current();
        // The learner's model shares the statistics that this restores.
        let finished = limit.advance(machine, |machine| match work {
            Work::OneDevice(mut oracle) => machine.run(&lr, &model, &space, &before, &mut *oracle),
            Work::Devices(oracles) => oracles.run(machine, &lr, &model, &space, &before),
        });
        if finished.is_err() {
            // All passes may have ended although a wait has passed the limit.
            drop(before.restore(model.clone()));
        }
        if has_ties(&space) && finished.is_ok() {
            drop(BufferSnapshot::of(&model).restore(learner.model()));
        }
        let (report, descent) = finished?;
        if report.skipped.is_some() {
            return Ok(report);
        }
        learner.optimizer_step(descent.gradient.into_gradients());
        let mut moved = None;
        if let Some(shift) = descent.shift {
            moved = Some(shift_weights(&learner.model(), shift, &lr)?);
        }
        if has_ties(&space) {
            moved = Some(retied(&space, &moved.unwrap_or_else(|| learner.model()))?);
        }
        if let Some(moved) = moved {
            // The learner's model is private; a record is the only way in.
            learner.load_model(moved.into_record());
        }
        Ok(report)
    }
}

/// A copy in which all occurrences of a parameter are the first one.
fn retied<M: Module>(space: &ParamSpace, model: &M) -> Result<M, OptimError> {
    Ok(LeafVector::from_module(space, model)?.apply_to(model)?)
}
