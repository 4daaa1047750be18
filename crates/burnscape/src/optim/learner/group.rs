use burn::module::Module;
use burn::train::{Learner, LearnerModel, TrainStep};

use super::oracle::{LossOf, StepOracle, StepSum};
use crate::optim::rate::shift_weights;
use crate::optim::sam::SamMachine;
use crate::optim::ties::has_ties;
use crate::optim::{OptimError, StepReport};
use crate::space::{BufferSnapshot, LeafVector, ParamSpace};

/// The batches of one optimizer step: one, or as many as gradients are accumulated over.
///
/// Each batch's first pass is taken as it comes in, so that its metrics are due when Burn's are; the
/// batch is held for the pass at the displaced weights.
pub(super) struct Group<M: LearnerModel> {
    /// The learner's model, or a copy if parameters are tied.
    model: M,
    space: ParamSpace,
    /// The running statistics before the first batch.
    before: BufferSnapshot,
    batches: Vec<<M as TrainStep>::Input>,
    first: StepSum<M>,
}

impl<M> Group<M>
where
    M: LearnerModel,
    <M as TrainStep>::Input: Clone,
{
    pub(super) fn open(machine: &SamMachine, learner: &Learner<M>) -> Result<Self, OptimError> {
        // A clone: it shares the running statistics, which the first passes are to move.
        let mut model = learner.model();
        let space = machine.space(&model)?;
        if has_ties(&space) {
            // On its way into the learner each occurrence became a leaf of its own, with a part of
            // the gradient only.
            model = retied(&space, &model)?;
        }
        Ok(Self {
            space,
            before: BufferSnapshot::of(&model),
            batches: Vec::new(),
            first: StepSum::new(),
            model,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.batches.len()
    }

    /// The model at the weights of the step.
    pub(super) fn model(&self) -> &M {
        &self.model
    }

    pub(super) fn space(&self) -> &ParamSpace {
        &self.space
    }

    /// Takes in a batch: its pass at the weights, and what its metrics want.
    pub(super) fn first_pass(
        &mut self,
        machine: &SamMachine,
        batch: <M as TrainStep>::Input,
        loss_of: Option<&LossOf<M>>,
    ) -> Result<<M as TrainStep>::Output, OptimError> {
        machine.draws().reseed(&self.space, self.batches.len());
        let output = TrainStep::step(&self.model, batch.clone());
        self.batches.push(batch);
        self.first.add(&self.model, output, loss_of)
    }

    /// The ascent, the passes at the displaced weights and the step of the learner's optimizer.
    pub(super) fn step(
        self,
        machine: &mut SamMachine,
        learner: &mut Learner<M>,
        loss_of: Option<&LossOf<M>>,
    ) -> Result<StepReport, OptimError> {
        let Self {
            model,
            space,
            before,
            batches,
            first,
        } = self;
        let lr = learner.lr_current();
        let mut oracle = StepOracle {
            draws: machine.draws(),
            space: &space,
            first: Some(first.into_evaluation()),
            batches: &batches,
            loss_of,
        };
        // The learner's model shares the statistics that this restores.
        let finished = machine.run(&lr, &model, &space, &before, &mut oracle);
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
