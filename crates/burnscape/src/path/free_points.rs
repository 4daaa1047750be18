use burn::module::Module;
use burn::optim::GradientsParams;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;

use super::PathError;
use super::rate::Rate;
use crate::loss::Mode;
use crate::optim::{ClosureStep, IntoEvaluation, OptimError, StepReport};
use crate::space::{LeafVector, ParamSpace, SpaceError, copy_for_gradients, renamed_copy};

/// The points that a fit or a band moves, and the optimizer that moves them.
pub(super) struct FreePoints<M, O> {
    /// One model for each point. Together they are one module, so that any optimizer can move them and keeps a state
    /// for each.
    pub(super) models: Vec<M>,
    pub(super) space: FreeSpace<M>,
    pub(super) optimizer: O,
    pub(super) scheduler: ModuleLrScheduler,
}

impl<M: Module, O> FreePoints<M, O> {
    /// Points at these vectors, as copies of `model`. Their parameter identifiers depend on the point and the
    /// position of the parameter only, so that a record matches a newly created fit.
    pub(super) fn new(
        model: &M,
        vectors: &[LeafVector],
        mode: Mode,
        optimizer: O,
        rate: &Rate,
    ) -> Result<Self, PathError> {
        let template = copy_for_gradients(model, mode == Mode::Train);
        let models = vectors.iter().enumerate().map(|(index, vector)| {
            let point = vector.apply_to(&template)?;
            Ok(renamed_copy(&point, index as u64))
        });
        let models = models.collect::<Result<Vec<M>, PathError>>()?;
        let space = FreeSpace {
            point: ParamSpace::of(&template)?,
            all: ParamSpace::of(&models)?,
            template,
        };
        Ok(Self {
            models,
            space,
            optimizer,
            scheduler: rate.0.clone(),
        })
    }

    /// One vector for each point.
    pub(super) fn vectors(&self) -> Result<Vec<LeafVector>, SpaceError> {
        self.space.vectors(&self.models)
    }

    /// One step of optimizer and scheduler.
    pub(super) fn step<E: IntoEvaluation>(
        &mut self,
        mut evaluate: impl FnMut(&FreeSpace<M>, &Vec<M>) -> E,
    ) -> Result<StepReport, OptimError>
    where
        O: ClosureStep,
    {
        let rate = self.scheduler.step();
        let space = &self.space;
        self.optimizer
            .closure_step(rate, &mut self.models, |models: &Vec<M>| {
                evaluate(space, models)
            })
    }
}

/// Converts between free points and vectors.
pub(super) struct FreeSpace<M> {
    /// The model whose parameters are replaced, in the mode of the fit.
    pub(super) template: M,
    /// Parameters of one point.
    pub(super) point: ParamSpace,
    /// Parameters of all points.
    pub(super) all: ParamSpace,
}

impl<M: Module> FreeSpace<M> {
    /// The model at a point.
    pub(super) fn model(&self, point: LeafVector) -> M {
        point.apply_to_own(&self.template)
    }

    /// One vector for each point.
    pub(super) fn vectors(&self, models: &Vec<M>) -> Result<Vec<LeafVector>, SpaceError> {
        Ok(LeafVector::from_module(&self.all, models)?.split_into(&self.point))
    }

    /// The gradients for an optimizer, from the gradient of each point.
    pub(super) fn gradients(&self, parts: Vec<LeafVector>) -> Result<GradientsParams, SpaceError> {
        Ok(LeafVector::concatenated(&self.all, parts)?.into_gradients())
    }
}
