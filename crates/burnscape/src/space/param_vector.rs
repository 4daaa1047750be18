use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};

use super::host::to_host;
use super::leaf_vector::as_dtype;
use super::products::{self, Part};
use super::range::{scaled, scaled_wide};
use super::wide::Wide;
use super::{LeafVector, ParamLeaf, ParamSpace, SpaceError};

/// A point or displacement in parameter space: one flat tensor `[n]` on the model's device.
///
/// Vectors combine when their spaces are equal (same paths, shapes, element type and device); each
/// operation checks this once and refuses by name otherwise.
///
/// # Shapes
///
/// `values: [num_params]`, parameters in visit order, each flattened row by row.
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
/// let moved = d.displace(&layer, 0.5)?;
/// let difference = ParamVector::from_module(&space, &moved)?.axpy(-1.0, &w)?;
/// assert!((difference.norm()? - 0.5 * (8.0_f64).sqrt()).abs() < 1e-6);
/// # Ok::<(), burnscape::space::SpaceError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ParamVector {
    space: ParamSpace,
    values: Tensor<1>,
}

impl ParamVector {
    /// Takes a flat tensor as a vector of `space`, cast to the parameters' type and device.
    ///
    /// # Errors
    ///
    /// [`SpaceError::WrongLength`], [`SpaceError::MixedDTypes`].
    pub fn from_values(space: &ParamSpace, values: Tensor<1>) -> Result<Self, SpaceError> {
        let found = values.shape().num_elements();
        if found != space.len() {
            return Err(SpaceError::WrongLength {
                expected: space.len(),
                found,
            });
        }
        let values = as_dtype(values.inner().to_device(space.device()), space.dtype()?);
        Ok(Self {
            space: space.clone(),
            values,
        })
    }

    /// Uploads host numbers as a vector of `space`.
    ///
    /// # Errors
    ///
    /// [`SpaceError::WrongLength`], [`SpaceError::MixedDTypes`].
    pub fn from_host(space: &ParamSpace, values: &[f64]) -> Result<Self, SpaceError> {
        if values.len() != space.len() {
            return Err(SpaceError::WrongLength {
                expected: space.len(),
                found: values.len(),
            });
        }
        let data = TensorData::new(values.to_vec(), [values.len()]);
        let values = Tensor::from_data(data, (space.device(), space.dtype()?));
        Ok(Self {
            space: space.clone(),
            values,
        })
    }

    /// The zero vector.
    ///
    /// # Errors
    ///
    /// [`SpaceError::MixedDTypes`].
    pub fn zeros(space: &ParamSpace) -> Result<Self, SpaceError> {
        let values = Tensor::zeros([space.len()], (space.device(), space.dtype()?));
        Ok(Self {
            space: space.clone(),
            values,
        })
    }

    /// The present parameters of `model`.
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

    /// The gradients of the parameters; zero where a parameter has none.
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

    /// The flat form of a leafwise vector.
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
        Ok(Self {
            space: space.clone(),
            values: Tensor::cat(parts.collect(), 0),
        })
    }

    /// The leafwise form.
    pub fn to_leaves(&self) -> LeafVector {
        let leaves = self
            .space
            .leaves()
            .iter()
            .map(|leaf| Some(self.leaf(leaf)))
            .collect();
        LeafVector::from_parts(self.space.clone(), leaves)
    }

    /// Hands the vector on as gradients, for any Burn optimizer.
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
    pub fn displace<M: Module>(&self, model: &M, scale: f64) -> Result<M, SpaceError> {
        self.to_leaves().displace(model, scale)
    }

    /// The space the vector belongs to.
    pub fn space(&self) -> &ParamSpace {
        &self.space
    }

    /// The flat tensor, `[num_params]`, without autodiff.
    pub fn values(&self) -> &Tensor<1> {
        &self.values
    }

    /// Downloads the vector.
    ///
    /// # Cost
    ///
    /// One host synchronization and `num_params` numbers.
    ///
    /// # Errors
    ///
    /// [`SpaceError::Device`].
    pub fn to_host(&self) -> Result<Vec<f64>, SpaceError> {
        to_host(self.values.clone())
    }

    /// The part of the vector that belongs to one parameter, flat.
    pub fn leaf(&self, leaf: &ParamLeaf) -> Tensor<1> {
        self.values
            .clone()
            .slice(leaf.offset()..leaf.offset() + leaf.len())
    }

    /// `self + a · x`. The factor may be out of the range of the element type: only what is added is rounded
    /// to it.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`].
    pub fn axpy(self, a: f64, x: &Self) -> Result<Self, SpaceError> {
        self.space.check_same(&x.space)?;
        let x = x.values.clone();
        Ok(Self {
            // Products with one would be exact, and passes over memory.
            values: match a {
                1.0 => self.values + x,
                -1.0 => self.values - x,
                _ => self.values + scaled(x, a),
            },
            space: self.space,
        })
    }

    /// `a · self`. The factor may be out of the range of the element type: only the product is rounded to it.
    #[must_use]
    pub fn scale(self, a: f64) -> Self {
        Self {
            values: scaled(self.values, a),
            space: self.space,
        }
    }

    /// `a · self`, for a factor that may be out of the range of `f64`.
    pub(crate) fn scale_wide(self, a: Wide) -> Self {
        Self {
            values: scaled_wide(self.values, a),
            space: self.space,
        }
    }

    /// The coordinate-wise product.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`].
    pub fn times(self, x: &Self) -> Result<Self, SpaceError> {
        self.space.check_same(&x.space)?;
        Ok(Self {
            values: self.values * x.values.clone(),
            space: self.space,
        })
    }

    /// `⟨self, x⟩`: summed on the device for each parameter, in f64 on the host across parameters. Where the
    /// products leave the range of the element type both vectors are scaled first, by powers of two: the
    /// result is infinite or subnormal only where it leaves the range of `f64`.
    ///
    /// # Cost
    ///
    /// One host synchronization; three where products leave the range of the element type, or the result is
    /// so small (zero included) that they may have.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`], [`SpaceError::Device`].
    pub fn dot(&self, x: &Self) -> Result<f64, SpaceError> {
        Ok(self.wide_dot(x)?.value())
    }

    /// The Euclidean norm: the same for a vector times a power of two, to the last bit, as long as its
    /// numbers are normal.
    ///
    /// # Cost
    ///
    /// As [`dot`](Self::dot).
    ///
    /// # Errors
    ///
    /// [`SpaceError::Device`].
    pub fn norm(&self) -> Result<f64, SpaceError> {
        Ok(self.wide_norm()?.value())
    }

    /// The Euclidean norm of each parameter's part, in visit order.
    ///
    /// # Cost
    ///
    /// As [`dot`](Self::dot).
    ///
    /// # Errors
    ///
    /// [`SpaceError::Device`].
    pub fn leaf_norms(&self) -> Result<Vec<f64>, SpaceError> {
        let squares = products::each(&self.parts(self)?)?;
        Ok(squares
            .into_iter()
            .map(|square| square.sqrt().value())
            .collect())
    }

    /// The vector divided by its norm.
    ///
    /// # Errors
    ///
    /// [`SpaceError::NoDirection`] if the norm is zero or not finite, [`SpaceError::Device`].
    pub fn normalize(self) -> Result<Self, SpaceError> {
        let norm = self.wide_norm()?;
        if !norm.is_positive() || !norm.is_finite() {
            return Err(SpaceError::NoDirection { norm: norm.value() });
        }
        Ok(self.scale_wide(Wide::from(1.0) / norm))
    }

    /// The part of the vector that is orthogonal to all of `basis`, by modified Gram-Schmidt in two
    /// passes. The basis need not be orthonormal, but its vectors must be mutually orthogonal.
    ///
    /// # Cost
    ///
    /// Four host synchronizations a basis vector.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`], [`SpaceError::NoDirection`] for a basis vector of norm zero.
    pub fn orthogonalize(mut self, basis: &[Self]) -> Result<Self, SpaceError> {
        for _pass in 0..2 {
            for direction in basis {
                let square = direction.wide_dot(direction)?;
                if !square.is_positive() || !square.is_finite() {
                    return Err(SpaceError::NoDirection {
                        norm: square.sqrt().value(),
                    });
                }
                let component = (self.wide_dot(direction)? / square).value();
                self = self.axpy(-component, direction)?;
            }
        }
        Ok(self)
    }

    /// `⟨self, x⟩` of each parameter's part, in visit order: one host synchronization, as a rule.
    pub(crate) fn leaf_dots(&self, x: &Self) -> Result<Vec<f64>, SpaceError> {
        let dots = products::each(&self.parts(x)?)?;
        Ok(dots.into_iter().map(Wide::value).collect())
    }

    /// `⟨self, x⟩` where it may leave the range of `f64`.
    pub(crate) fn wide_dot(&self, x: &Self) -> Result<Wide, SpaceError> {
        let (sums, _) = products::sums(&[self.parts(x)?], Vec::new())?;
        Ok(sums.into_iter().sum())
    }

    /// The norm of a vector that is to be divided by it: of subnormal numbers the inverse leaves the range
    /// of `f64`.
    pub(crate) fn wide_norm(&self) -> Result<Wide, SpaceError> {
        Ok(self.wide_dot(self)?.sqrt())
    }

    /// The parts of two vectors, parameter by parameter.
    fn parts<'a>(&'a self, x: &'a Self) -> Result<Vec<Part<'a>>, SpaceError> {
        self.space.check_same(&x.space)?;
        let leaves = self.space.leaves().iter();
        let range = |leaf: &ParamLeaf| leaf.offset()..leaf.offset() + leaf.len();
        Ok(leaves
            .map(|leaf| Part::new(&self.values, &x.values, range(leaf)))
            .collect())
    }
}
