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
/// Each batch has its first pass when it arrives, so that its metrics appear when Burn's would; the batch is kept for
/// the pass at the displaced weights.
pub(super) struct Group<'a, M: LearnerModel> {
    /// The learner's model at the weights of the step, or a copy if parameters are tied.
    pub(super) model: M,
    pub(super) space: ParamSpace,
    /// The running statistics before the first batch.
    before: BufferSnapshot,
    pub(super) oracle: StepOracle<'a, M>,
}

impl<'a, M> Group<'a, M>
where
    M: LearnerModel,
    <M as TrainStep>::Input: Clone,
{
    pub(super) fn open(
        machine: &SamMachine,
        learner: &Learner<M>,
        loss_of: Option<&'a LossOf<M>>,
    ) -> Result<Self, OptimError> {
        // A clone: it shares the running statistics, which the first passes are to move.
        let mut model = learner.model();
        let space = machine.space(&model)?;
        if has_ties(&space) {
            // On its way into the learner each occurrence became a separate leaf, with a part of the gradient only.
            model = retied(&space, &model)?;
        }
        Ok(Self {
            before: BufferSnapshot::of(&model),
            model,
            oracle: StepOracle {
                draws: machine.draws(),
                space: space.clone(),
                loss_of,
                batches: Vec::new(),
                first: StepSum::default(),
            },
            space,
        })
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
            mut oracle,
        } = self;
        let lr = learner.lr_current();
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
