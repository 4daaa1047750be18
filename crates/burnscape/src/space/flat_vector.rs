use std::fmt::Debug;
use std::ops::Range;

use burn::tensor::{DType, Device, Tensor, TensorData};

use super::SpaceError;
use super::cast::as_dtype;
use super::host::to_host;
use super::products::{self, Part};
use super::range::{scaled, scaled_wide};
use super::wide::Wide;

/// The coordinates of a [`FlatVector`]: how many there are, of which element type, and where.
pub trait FlatSpace: Clone + Debug {
    /// Number of coordinates.
    fn dimension(&self) -> usize;

    /// The device of the coordinates, without autodiff, and their element type.
    ///
    /// # Errors
    ///
    /// [`SpaceError::MixedDTypes`] if they have more than one.
    fn place(&self) -> Result<(&Device, DType), SpaceError>;

    /// Refuses a space whose vectors cannot be combined with those of this one.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`].
    fn check_same(&self, other: &Self) -> Result<(), SpaceError>;

    /// The ranges of coordinates that inner products sum on the device, one after the other. Across ranges they
    /// sum in f64 on the host.
    fn parts(&self) -> impl Iterator<Item = Range<usize>>;
}

/// A vector on a device: one flat tensor `[n]`, and the space that says what its coordinates are.
///
/// Vectors combine when their spaces are equal; each operation checks this once and refuses by name otherwise.
///
/// # Shapes
///
/// `values: [n]`.
#[derive(Debug, Clone)]
pub struct FlatVector<S> {
    space: S,
    values: Tensor<1>,
}

impl<S: FlatSpace> FlatVector<S> {
    /// Takes a flat tensor as a vector of `space`, cast to its type and device.
    ///
    /// # Errors
    ///
    /// [`SpaceError::WrongLength`], [`SpaceError::MixedDTypes`].
    pub fn from_values(space: &S, values: Tensor<1>) -> Result<Self, SpaceError> {
        let found = values.shape().num_elements();
        if found != space.dimension() {
            return Err(SpaceError::WrongLength {
                expected: space.dimension(),
                found,
            });
        }
        let (device, dtype) = space.place()?;
        let values = as_dtype(values.inner().to_device(device), dtype);
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
    pub fn from_host(space: &S, values: &[f64]) -> Result<Self, SpaceError> {
        if values.len() != space.dimension() {
            return Err(SpaceError::WrongLength {
                expected: space.dimension(),
                found: values.len(),
            });
        }
        let data = TensorData::new(values.to_vec(), [values.len()]);
        let values = Tensor::from_data(data, space.place()?);
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
    pub fn zeros(space: &S) -> Result<Self, SpaceError> {
        let values = Tensor::zeros([space.dimension()], space.place()?);
        Ok(Self {
            space: space.clone(),
            values,
        })
    }

    /// The space the vector belongs to.
    pub fn space(&self) -> &S {
        &self.space
    }

    /// The flat tensor, `[n]`, without autodiff.
    pub fn values(&self) -> &Tensor<1> {
        &self.values
    }

    /// Downloads the vector.
    ///
    /// # Cost
    ///
    /// One host synchronization and `n` numbers.
    ///
    /// # Errors
    ///
    /// [`SpaceError::Device`].
    pub fn to_host(&self) -> Result<Vec<f64>, SpaceError> {
        to_host(self.values.clone())
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

    /// `⟨self, x⟩`: summed on the device within each of the space's [`parts`](FlatSpace::parts), in f64 on the
    /// host across them. Where products leave the range of the element type, both vectors are scaled first, by
    /// powers of two: the result is infinite or subnormal only where it leaves the range of `f64`.
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

    /// The parts of two vectors, as the space cuts them.
    pub(super) fn parts<'a>(&'a self, x: &'a Self) -> Result<Vec<Part<'a>>, SpaceError> {
        self.space.check_same(&x.space)?;
        let parts = self.space.parts();
        Ok(parts
            .map(|range| Part::new(&self.values, &x.values, range))
            .collect())
    }
}
