use burn::module::Module;
use burn::optim::GradientsParams;

use super::PathError;
use crate::loss::Mode;
use crate::space::{LeafVector, ParamSpace, SpaceError, copy_for_gradients, renamed_copy};

/// The space of the points that a fit moves. They are one module, a `Vec` of models, so that any optimizer can move
/// them and keeps a state for each.
pub(super) struct FreeSpace<M> {
    /// The model whose parameters are replaced, in the mode of the fit.
    pub(super) template: M,
    /// Parameters of one point.
    pub(super) point: ParamSpace,
    /// Parameters of all free points.
    all: ParamSpace,
}

impl<M: Module> FreeSpace<M> {
    /// The free points at these vectors, as copies of `model`. Their parameter identifiers depend on the point and the
    /// position of the parameter only, so that a record matches a newly created fit.
    pub(super) fn new(
        model: &M,
        vectors: &[LeafVector],
        mode: Mode,
    ) -> Result<(Self, Vec<M>), PathError> {
        let template = copy_for_gradients(model, mode == Mode::Train);
        let points = vectors.iter().enumerate().map(|(index, vector)| {
            let point = vector.apply_to(&template)?;
            Ok(renamed_copy(&point, index as u64))
        });
        let points = points.collect::<Result<Vec<M>, PathError>>()?;
        let space = Self {
            point: ParamSpace::of(&template)?,
            all: ParamSpace::of(&points)?,
            template,
        };
        Ok((space, points))
    }

    /// The model at a point.
    pub(super) fn model(&self, point: LeafVector) -> M {
        point.apply_to_own(&self.template)
    }

    /// One vector for all free points.
    pub(super) fn vector(&self, free: &Vec<M>) -> Result<LeafVector, SpaceError> {
        LeafVector::from_module(&self.all, free)
    }

    /// One vector for each free point.
    pub(super) fn vectors(&self, free: &Vec<M>) -> Result<Vec<LeafVector>, SpaceError> {
        Ok(self.vector(free)?.split_into(&self.point))
    }

    /// The gradients for an optimizer, from the gradient of each free point.
    pub(super) fn gradients(&self, parts: Vec<LeafVector>) -> Result<GradientsParams, SpaceError> {
        Ok(LeafVector::concatenated(&self.all, parts)?.into_gradients())
    }
}
