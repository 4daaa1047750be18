use std::fmt::{Display, Formatter, Result as FmtResult};

use super::SamConfig;
use crate::optim::OptimError;

/// A need of a part of SAM, beyond one gradient at the weights and one at the displaced weights.
///
/// | entry point | provides |
/// |---|---|
/// | [`Sam::step_on`](super::Sam::step_on) | everything |
/// | [`Sam::step_on_devices`](super::Sam::step_on_devices) with several devices | everything but the whole batch |
/// | [`Sam::step`](super::Sam::step) | everything but the batch |
/// | [`Sam::ascend`](super::Sam::ascend) and [`descend`](super::Sam::descend) | memory, rate, weights |
/// | [`Sam::gradients`](super::Sam::gradients) | evaluations, losses |
/// | `Sam::strategy` | everything but the batch; losses `with_loss`, memory `with_checkpoints` |
///
/// A configuration with an unmet need is refused with [`OptimError::Unmet`], which names the part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// The batch: to split it, to read its examples one by one, or to trace the loss on it.
    Batch,
    /// The loss and its gradient at points that the part chooses.
    Evaluations,
    /// The value of the loss, not only its gradients.
    Losses,
    /// The number of the step, or the memory of earlier steps, which a record restores.
    Memory,
    /// The learning rate of the step.
    LearningRate,
    /// The weights after the base optimizer's step, to write to them.
    Weights,
    /// The Euclidean ball of radius `rho`, for an ascent that searches it. Every entry point provides it; a
    /// configuration with another metric, another ascent direction, a mask or groups does not.
    Ball,
    /// Parts of the batch, for a step on several devices ([`Sam::on_devices`](super::Sam::on_devices)).
    Devices,
}

impl Need {
    /// The error where `feature` has this need and nothing meets it.
    pub(in crate::optim) fn unmet(self, feature: &'static str) -> OptimError {
        OptimError::Unmet {
            feature,
            need: self,
        }
    }
}

/// Problem and remedy, after the name of the part.
impl Display for Need {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str(match self {
            Self::Batch => "needs the batch: call `Sam::step_on` with a batch and an objective",
            Self::Evaluations | Self::Ball => {
                "evaluates the loss at points that it chooses: call `Sam::step` with a closure"
            }
            Self::Devices => {
                "needs parts of the batch: call `Sam::step_on_devices` with a batch and an objective, or make the \
                 optimizer without `Sam::on_devices`"
            }
            Self::Losses => {
                "compares losses: let the closure return the loss, or `(loss, gradients)`"
            }
            Self::Memory | Self::LearningRate | Self::Weights => {
                "needs the step, the rate or the past, which `TrainStep::step` does not have: use \
                 `Sam::strategy`, or call `Sam::step` in your own loop"
            }
        })
    }
}

/// The entry points of a step, each of which provides some needs.
#[derive(Debug, Clone, Copy)]
pub(in crate::optim) enum EntryPoint {
    /// A batch and an objective.
    Batch,
    /// A batch and an objective, in parts on several devices.
    Devices,
    /// A closure.
    Closure,
    /// Gradients that the caller takes.
    Gradients,
    /// A closure in a `TrainStep::step`, which has no access to the run.
    Stateless,
    /// Burn's `Learner`, which needs functions for the loss and for checkpoints.
    #[cfg(feature = "train")]
    Learner { has_loss: bool, has_record: bool },
}

impl EntryPoint {
    fn provides(self, need: Need) -> bool {
        match self {
            _ if need == Need::Devices => matches!(self, Self::Devices),
            Self::Batch => true,
            Self::Devices | Self::Closure => need != Need::Batch,
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
        let parts = [
            self.ascent.part(),
            self.ascent_direction.part(),
            self.descent_gradient.part(),
        ];
        let mut needs: Vec<(_, &[Need])> = parts
            .iter()
            .map(|part| (part.name(), part.needs()))
            .collect();
        needs.push((self.metric.name(), self.metric.needs()));
        needs.push(("a schedule of the radius", self.schedule.needs()));
        if self.restore_tied {
            needs.push(("`restore_tied`", &[Need::Weights]));
        }
        if self.group_size.is_some() {
            needs.push(("m-sharpness (`group_size`)", &[Need::Batch]));
        }
        if self.selection.is_some() {
            needs.push(("data selection (`selection`)", &[Need::Batch]));
        }
        if self.active_steps.is_some() {
            needs.push(("`active_steps`", &[Need::Memory]));
        }
        if self.mask.is_some() {
            needs.push(("a mask", &[Need::Memory]));
        }
        if self.draws_seed.is_some() {
            // The first pass is seeded too.
            needs.push(("`draws_seed`", &[Need::Evaluations, Need::Memory]));
        }
        needs
    }

    /// The first need that an entry point does not meet, and the part that has it.
    pub(in crate::optim) fn unmet(&self, entry: EntryPoint) -> Option<(Need, &'static str)> {
        let each = |(feature, needs): (_, &'static [Need])| {
            let unmet = needs.iter().find(|need| !entry.provides(**need));
            unmet.map(|need| (*need, feature))
        };
        self.needs().into_iter().find_map(each)
    }

    /// Refuses a configuration with a need that an entry point does not meet.
    pub(in crate::optim) fn admit(&self, entry: EntryPoint) -> Result<(), OptimError> {
        match self.unmet(entry) {
            Some((need, feature)) => Err(need.unmet(feature)),
            None => Ok(()),
        }
    }
}
