use std::ops::Range;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor};

use super::cast::as_dtype;
use super::products::{self, Part};
use super::wide::Wide;
use super::{
    FlatSpace, FlatVector, LeafVector, ParamLeaf, ParamSpace, SpaceError, Waits, limited_by,
};

/// A point or displacement in parameter space: a flat tensor `[num_params]` on the model's device, with the
/// parameters in visit order, each flattened row by row.
///
/// Inner products are summed on the device within blocks of coordinates, and in f64 on the host across blocks.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burnscape::space::{ParamSpace, ParamVector};
///
/// let layer = LinearConfig::new(3, 2).init(&Device::default());
/// let space = ParamSpace::of(&layer)?;
/// let w = ParamVector::from_module(&space, &layer)?;
/// let d = ParamVector::rademacher(&space, 7)?;
/// let moved = d.perturb(&layer, 0.5)?;
/// let difference = ParamVector::from_module(&space, &moved)?.axpy(-1.0, &w)?;
/// assert!((difference.norm()? - 0.5 * (8.0_f64).sqrt()).abs() < 1e-6);
/// # Ok::<(), burnscape::space::SpaceError>(())
/// ```
pub type ParamVector = FlatVector<ParamSpace>;

impl FlatSpace for ParamSpace {
    fn dimension(&self) -> usize {
        self.len()
    }

    fn place(&self) -> Result<(&Device, DType), SpaceError> {
        Ok((self.device(), self.dtype()?))
    }

    fn check_same(&self, other: &Self) -> Result<(), SpaceError> {
        Self::check_same(self, other)
    }

    fn basis_device(&self) -> Option<&Device> {
        self.basis.as_ref()
    }

    fn waits(&self) -> Option<&Waits> {
        self.waits.as_ref()
    }
}

/// Methods of parameter vectors.
impl FlatVector<ParamSpace> {
    /// The current parameters of `model`.
    ///
    /// # Cost
    ///
    /// One copy of the parameters.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`] if the model does not have the space's parameters,
    /// [`SpaceError::MixedDTypes`].
    pub fn from_module<M: Module>(space: &ParamSpace, model: &M) -> Result<Self, SpaceError> {
        Self::from_leaves(&LeafVector::from_module(space, model)?)
    }

    /// The gradients of the parameters; a parameter without a gradient is zero.
    ///
    /// # Errors
    ///
    /// [`SpaceError::NoGradients`], [`SpaceError::GradientShape`], [`SpaceError::MixedDTypes`].
    pub fn from_gradients(
        space: &ParamSpace,
        gradients: &GradientsParams,
    ) -> Result<Self, SpaceError> {
        Self::from_leaves(&LeafVector::from_gradients(space, gradients)?)
    }

    /// Converts a leafwise vector.
    ///
    /// # Errors
    ///
    /// [`SpaceError::MixedDTypes`].
    pub fn from_leaves(vector: &LeafVector) -> Result<Self, SpaceError> {
        let space = vector.space();
        let dtype = space.dtype()?;
        let parts = space
            .leaves()
            .iter()
            .zip(vector.leaves())
            .map(|(leaf, value)| match value {
                Some(value) => as_dtype(value.clone(), dtype),
                None => Tensor::zeros([leaf.len()], (space.device(), dtype)),
            });
        Self::from_values(space, Tensor::cat(parts.collect(), 0))
    }

    /// Converts to a leafwise vector.
    pub fn to_leaves(&self) -> LeafVector {
        let leaves = self
            .space()
            .leaves()
            .iter()
            .map(|leaf| Some(self.leaf(leaf)))
            .collect();
        LeafVector::from_parts(self.space().clone(), leaves)
    }

    /// Converts the vector to gradients for any Burn optimizer.
    pub fn into_gradients(self) -> GradientsParams {
        self.to_leaves().into_gradients()
    }

    /// A copy of `model` with these parameters. It shares no running statistics with `model`.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`].
    pub fn apply_to<M: Module>(&self, model: &M) -> Result<M, SpaceError> {
        self.to_leaves().apply_to(model)
    }

    /// A copy of `model` at `w + scale · self`. It shares no running statistics with `model`.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`].
    pub fn perturb<M: Module>(&self, model: &M, scale: f64) -> Result<M, SpaceError> {
        self.to_leaves().perturb(model, scale)
    }

    /// The part of the vector that belongs to one parameter, flat.
    pub fn leaf(&self, leaf: &ParamLeaf) -> Tensor<1> {
        self.values().clone().slice(range(leaf))
    }

    /// The Euclidean norm of each parameter's part, in visit order.
    ///
    /// # Cost
    ///
    /// A few operations for each parameter, and usually one host synchronization.
    ///
    /// # Errors
    ///
    /// [`SpaceError::Device`].
    pub fn leaf_norms(&self) -> Result<Vec<f64>, SpaceError> {
        let parts = self.parts(self)?;
        let squares = limited_by(self.space().waits(), || products::each(&parts))?;
        Ok(squares
            .into_iter()
            .map(|square| square.sqrt().value())
            .collect())
    }

    /// `⟨self, x⟩` of each parameter's part, in visit order; usually one host synchronization.
    pub(crate) fn leaf_dots(&self, x: &Self) -> Result<Vec<f64>, SpaceError> {
        let parts = self.parts(x)?;
        let dots = limited_by(self.space().waits(), || products::each(&parts))?;
        Ok(dots.into_iter().map(Wide::value).collect())
    }

    /// Two vectors, cut into their parameters.
    fn parts<'a>(&'a self, x: &'a Self) -> Result<Vec<Part<'a>>, SpaceError> {
        self.space().check_same(x.space())?;
        let leaves = self.space().leaves().iter();
        let parts = leaves.map(|leaf| Part::new(self.values(), x.values(), range(leaf)));
        Ok(parts.collect())
    }
}

/// The range of a parameter in the flat vector.
fn range(leaf: &ParamLeaf) -> Range<usize> {
    leaf.offset()..leaf.offset() + leaf.len()
}
