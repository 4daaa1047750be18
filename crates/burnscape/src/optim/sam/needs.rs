use super::SamConfig;
use crate::optim::OptimError;

/// What a part of SAM needs from whoever runs the step, beyond one gradient at the weights and one at the
/// displaced weights.
///
/// | entry point | provides |
/// |---|---|
/// | [`Sam::step_on`](super::Sam::step_on) | everything |
/// | [`Sam::step`](super::Sam::step) | everything but the batch |
/// | [`Sam::ascend`](super::Sam::ascend) and [`descend`](super::Sam::descend) | memory, rate, weights |
/// | [`SamConfig::gradients`] | evaluations, losses |
/// | `Sam::strategy` | everything but the batch; losses `with_loss`, memory `with_checkpoints` |
///
/// A configuration with a part whose needs are not met is refused with an error that names the part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// The batch itself: to split it, to take its examples one by one, or to trace the loss on it.
    Batch,
    /// The loss and its gradient at points that the part chooses.
    Evaluations,
    /// The value of the loss, which gradients alone do not tell.
    Losses,
    /// The number of the step, or what the part kept from earlier steps: what a record restores.
    Memory,
    /// The learning rate of the step.
    LearningRate,
    /// The weights after the base optimizer's step, to write to them.
    Weights,
    /// The Euclidean ball of radius `rho`, for an ascent that looks for its point by itself. Every entry point
    /// provides it; a configuration with another metric, another ascent direction, a mask or groups does not.
    Ball,
}

/// The entry points of a step, by what they provide.
#[derive(Debug, Clone, Copy)]
pub(in crate::optim) enum Door {
    /// A batch and an objective.
    Batch,
    /// A closure.
    Closure,
    /// Gradients that the caller takes.
    Gradients,
    /// A closure in a `TrainStep::step`, which knows nothing of the run.
    Stateless,
    /// Burn's `Learner`, which needs functions for the loss and for checkpoints.
    #[cfg(feature = "train")]
    Learner { has_loss: bool, has_record: bool },
}

impl Door {
    fn provides(self, need: Need) -> bool {
        match self {
            Self::Batch => true,
            Self::Closure => need != Need::Batch,
            Self::Gradients => !matches!(need, Need::Batch | Need::Evaluations | Need::Losses),
            Self::Stateless => matches!(need, Need::Evaluations | Need::Losses | Need::Ball),
            #[cfg(feature = "train")]
            Self::Learner {
                has_loss,
                has_record,
            } => match need {
                Need::Batch => false,
                Need::Losses => has_loss,
                Need::Memory => has_record,
                _ => true,
            },
        }
    }
}

impl SamConfig {
    /// Every part by name, with its needs: the one list that all entry points read.
    fn needs(&self) -> Vec<(&'static str, &'static [Need])> {
        let direction = self.ascent_direction.part();
        let ascent = self.ascent.part();
        let descent = self.descent_gradient.part();
        let set = |is_set: bool, name, needs: &'static [Need]| is_set.then_some((name, needs));
        let (groups, selects) = (self.group_size.is_some(), self.selection.is_some());
        // The first pass is seeded too.
        let draws: &[Need] = &[Need::Evaluations, Need::Memory];
        let needs = [
            Some((ascent.name(), ascent.needs())),
            Some((direction.name(), direction.needs())),
            Some((descent.name(), descent.needs())),
            Some((self.metric.name(), self.metric.needs())),
            Some(("a schedule of the radius", self.schedule.needs())),
            Some(("tying parameters again", self.tied.needs())),
            set(groups, "m-sharpness (`group_size`)", &[Need::Batch]),
            set(selects, "data selection (`selection`)", &[Need::Batch]),
            set(
                self.active_steps.is_some(),
                "`active_steps`",
                &[Need::Memory],
            ),
            set(self.mask.is_some(), "a mask", &[Need::Memory]),
            set(self.draws_seed.is_some(), "`draws_seed`", draws),
        ];
        needs.into_iter().flatten().collect()
    }

    /// The first need that a door does not meet, and the part that has it.
    pub(in crate::optim) fn unmet(&self, door: Door) -> Option<(Need, &'static str)> {
        let each = |(feature, needs): (_, &'static [Need])| {
            let unmet = needs.iter().find(|need| !door.provides(**need));
            unmet.map(|need| (*need, feature))
        };
        self.needs().into_iter().find_map(each)
    }

    /// Refuses a configuration with a need that a door does not meet.
    pub(in crate::optim) fn admit(&self, door: Door) -> Result<(), OptimError> {
        let Some((need, feature)) = self.unmet(door) else {
            return Ok(());
        };
        Err(match need {
            Need::Batch => OptimError::NeedsBatch { feature },
            Need::Evaluations => OptimError::NeedsClosure { feature },
            Need::Losses => OptimError::NeedsLoss { feature },
            _ => OptimError::NeedsState { feature },
        })
    }
}
