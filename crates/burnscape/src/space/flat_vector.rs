use std::fmt::Debug;

use burn::tensor::{DType, Device, Tensor, TensorData};

use super::cast::as_dtype;
use super::host::to_host;
use super::products;
use super::range::{scaled, scaled_wide};
use super::wide::Wide;
use super::{SpaceError, Waits, limited_by, moved};

/// The coordinates of a [`FlatVector`]: their number, element type and device.
pub trait FlatSpace: Clone + Debug {
    /// Number of coordinates.
    fn dimension(&self) -> usize;

    /// The device of the coordinates, without autodiff, and their element type.
    ///
    /// # Errors
    ///
    /// [`SpaceError::MixedDTypes`] if they have more than one.
    fn place(&self) -> Result<(&Device, DType), SpaceError>;

    /// Returns an error unless vectors of both spaces can be combined.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`].
    fn check_same(&self, other: &Self) -> Result<(), SpaceError>;

    /// The device that stores the bases of Krylov methods over these coordinates; that of the coordinates by default.
    ///
    /// Products with a basis are computed there: a step moves one vector there and one back.
    fn basis_device(&self) -> Option<&Device> {
        None
    }

    /// The waits of threads that read vectors of this space, if they have a limit; none by default.
    #[doc(hidden)]
    fn waits(&self) -> Option<&Waits> {
        None
    }
}

/// A vector on a device: a flat tensor `[n]` and the space that describes its coordinates.
///
/// Vectors combine if their spaces are equal. Each operation checks this, and its error names the first
/// difference.
///
/// # Shapes
///
/// `values: [n]`.
#[derive(Debug, Clone)]
pub struct FlatVector<S> {
    space: S,
    values: Tensor<1>,
}

fn check_length(space: &impl FlatSpace, found: usize) -> Result<(), SpaceError> {
    let expected = space.dimension();
    if found == expected {
        Ok(())
    } else {
        Err(SpaceError::WrongLength { expected, found })
    }
}

impl<S: FlatSpace> FlatVector<S> {
    /// Makes a vector of `space` from a flat tensor, converted to the element type and device of the space.
    ///
    /// # Errors
    ///
    /// [`SpaceError::WrongLength`], [`SpaceError::MixedDTypes`]; [`SpaceError::Device`] if Burn cannot move a tensor of
    /// another device.
    pub fn from_values(space: &S, values: Tensor<1>) -> Result<Self, SpaceError> {
        check_length(space, values.shape().num_elements())?;
        let (device, dtype) = space.place()?;
        let values = limited_by(space.waits(), || moved(values.inner(), device))?;
        Ok(Self {
            space: space.clone(),
            values: as_dtype(values, dtype),
        })
    }

    /// Makes a vector of `space` from numbers on the host.
    ///
    /// # Errors
    ///
    /// [`SpaceError::WrongLength`], [`SpaceError::MixedDTypes`].
    pub fn from_host(space: &S, values: &[f64]) -> Result<Self, SpaceError> {
        check_length(space, values.len())?;
        let data = TensorData::new(values.to_vec(), [values.len()]);
        let values = Tensor::from_data(data, space.place()?);
        Ok(Self {
            space: space.clone(),
            values,
        })
    }

    /// Makes a vector of `space` from as many numbers as it has coordinates. Nothing but the vector is held.
    pub(super) fn from_numbers(
        space: &S,
        numbers: impl Iterator<Item = f64>,
    ) -> Result<Self, SpaceError> {
        let len = space.dimension();
        let (device, dtype) = space.place()?;
        let data = match dtype {
            DType::F32 => {
                let values: Vec<f32> = numbers.take(len).map(|x| x as f32).collect();
                TensorData::new(values, [len])
            }
            _ => {
                let values: Vec<f64> = numbers.take(len).collect();
                TensorData::new(values, [len])
            }
        };
        let values = Tensor::from_data(data, (device, dtype));
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

    /// The same vector in a space that may have another device for bases and other limits on waits, which are not
    /// compared.
    pub(super) fn adopted(self, space: &S) -> Result<Self, SpaceError> {
        space.check_same(&self.space)?;
        Ok(Self {
            space: space.clone(),
            values: self.values,
        })
    }

    /// The space of the vector.
    pub fn space(&self) -> &S {
        &self.space
    }

    /// The flat tensor, `[n]`, without autodiff.
    pub fn values(&self) -> &Tensor<1> {
        &self.values
    }

    /// Downloads the vector to the host.
    ///
    /// # Cost
    ///
    /// One host synchronization and `n` numbers.
    ///
    /// # Errors
    ///
    /// [`SpaceError::Device`].
    pub fn to_host(&self) -> Result<Vec<f64>, SpaceError> {
        limited_by(self.space.waits(), || to_host(self.values.clone()))
    }

    /// `self + a · x`. The factor may be outside the range of the element type: only the product is rounded to
    /// it.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`].
    pub fn axpy(self, a: f64, x: &Self) -> Result<Self, SpaceError> {
        self.space.check_same(&x.space)?;
        let x = x.values.clone();
        Ok(Self {
            // A product with 1 is exact, but costs a pass over memory.
            values: match a {
                1.0 => self.values + x,
                -1.0 => self.values - x,
                _ => self.values + scaled(x, a),
            },
            space: self.space,
        })
    }

    /// `a · self`. The factor may be outside the range of the element type: only the product is rounded to it.
    #[must_use]
    pub fn scale(self, a: f64) -> Self {
        Self {
            values: scaled(self.values, a),
            space: self.space,
        }
    }

    /// `a · self` for a factor that may be outside the range of `f64`.
    pub(crate) fn scale_wide(self, a: Wide) -> Self {
        Self {
            values: scaled_wide(self.values, a),
            space: self.space,
        }
    }

    /// The elementwise product.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`].
    pub fn hadamard(self, x: &Self) -> Result<Self, SpaceError> {
        self.space.check_same(&x.space)?;
        Ok(Self {
            values: self.values * x.values.clone(),
            space: self.space,
        })
    }

    /// The inner product `⟨self, x⟩`, summed on the device within blocks of 4096 coordinates and in f64 on the
    /// host across them. If products leave the range of the element type, both vectors are scaled by powers of
    /// two first: the result is infinite or subnormal only if it leaves the range of `f64`.
    ///
    /// # Cost
    ///
    /// Three operations and one host synchronization, which transfers `n/4096` numbers and 4095 more at most;
    /// three synchronizations if products leave the range of the element type, or the result is so
    /// small (or zero) that products may have underflowed.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`], [`SpaceError::Device`].
    pub fn dot(&self, x: &Self) -> Result<f64, SpaceError> {
        Ok(self.wide_dot(x)?.value())
    }

    /// The Euclidean norm. Multiplying the vector by a power of two multiplies the norm by it exactly, as long
    /// as all numbers are normal.
    ///
    /// # Cost
    ///
    /// Same as [`dot`](Self::dot).
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

    /// The part of the vector that is orthogonal to `basis`, by two passes of modified Gram-Schmidt. The basis
    /// vectors must be mutually orthogonal; they need not have norm one.
    ///
    /// # Cost
    ///
    /// Four host synchronizations per basis vector.
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

    /// `⟨self, x⟩`, which may be outside the range of `f64`.
    pub(crate) fn wide_dot(&self, x: &Self) -> Result<Wide, SpaceError> {
        self.space.check_same(&x.space)?;
        let waits = self.space.waits().or(x.space.waits());
        limited_by(waits, || products::whole(&self.values, &x.values))
    }

    /// The norm as a divisor: the inverse of a subnormal norm is outside the range of `f64`.
    pub(crate) fn wide_norm(&self) -> Result<Wide, SpaceError> {
        Ok(self.wide_dot(self)?.sqrt())
    }
}
