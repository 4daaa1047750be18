use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape_krylov::VectorSpace;

use super::CurvatureError;
use crate::space::{
    FlatVector, ParamSpace, TensorBlock, epsilon, max_abs, norm, product, scaled, to_host,
};

/// The outputs of a model over a data set as coordinates: how many there are, their type and device.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputSpace {
    len: usize,
    dtype: DType,
    device: Device,
}

impl OutputSpace {
    pub(super) fn new(len: usize, dtype: DType, parameters: &ParamSpace) -> Self {
        Self {
            len,
            dtype,
            device: parameters.device().clone(),
        }
    }

    /// Number of outputs, over all examples.
    #[allow(clippy::len_without_is_empty, reason = "data are never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Their element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Their device, without autodiff.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether two spaces have the same coordinates, as far as their numbers tell.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::DifferentOutputs`].
    pub fn check_same(&self, other: &Self) -> Result<(), CurvatureError> {
        match self == other {
            true => Ok(()),
            false => Err(CurvatureError::DifferentOutputs {
                expected: format!("{} outputs, {:?}, {:?}", self.len, self.dtype, self.device),
                found: format!(
                    "{} outputs, {:?}, {:?}",
                    other.len, other.dtype, other.device
                ),
            }),
        }
    }
}

/// A vector over the outputs of a model on a data set: what a [`Jacobian`](super::Jacobian) maps to.
///
/// One flat tensor: the outputs of all batches in order, each batch's tensor row by row.
#[derive(Debug, Clone)]
pub struct OutputVector {
    space: OutputSpace,
    values: Tensor<1>,
}

impl OutputVector {
    /// Takes a flat tensor as a vector of `space`, cast to its type and device.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::DifferentOutputs`].
    pub fn from_values(space: &OutputSpace, values: Tensor<1>) -> Result<Self, CurvatureError> {
        let found = values.shape().num_elements();
        if found != space.len {
            return Err(CurvatureError::DifferentOutputs {
                expected: format!("{} outputs", space.len),
                found: format!("{found} numbers"),
            });
        }
        let values = values.inner().to_device(&space.device);
        let values = match values.dtype() == space.dtype {
            true => values,
            false => values.cast(space.dtype),
        };
        Ok(Self {
            space: space.clone(),
            values,
        })
    }

    /// The space that the vector belongs to.
    pub fn space(&self) -> &OutputSpace {
        &self.space
    }

    /// The flat tensor, without autodiff.
    pub fn values(&self) -> &Tensor<1> {
        &self.values
    }

    /// Downloads the vector.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::Space`] if the device fails.
    pub fn to_host(&self) -> Result<Vec<f64>, CurvatureError> {
        Ok(to_host(self.values.clone())?)
    }
}

impl VectorSpace for OutputVector {
    type Error = CurvatureError;
    type Space = OutputSpace;
    type Block = TensorBlock<Self>;

    fn space(&self) -> OutputSpace {
        self.space.clone()
    }

    fn dimension(space: &OutputSpace) -> usize {
        space.len
    }

    fn check_same(expected: &OutputSpace, found: &OutputSpace) -> Result<(), CurvatureError> {
        expected.check_same(found)
    }

    fn zeros(space: &OutputSpace) -> Result<Self, CurvatureError> {
        Self::from_values(
            space,
            Tensor::zeros([space.len], (&space.device, space.dtype)),
        )
    }

    fn from_host(space: &OutputSpace, values: &[f64]) -> Result<Self, CurvatureError> {
        let data = TensorData::new(values.to_vec(), [values.len()]);
        Self::from_values(space, Tensor::from_data(data, (&space.device, space.dtype)))
    }

    fn to_host(&self) -> Result<Vec<f64>, CurvatureError> {
        Self::to_host(self)
    }

    fn epsilon(&self) -> f64 {
        epsilon(self.space.dtype)
    }

    fn axpy(self, a: f64, x: &Self) -> Result<Self, CurvatureError> {
        self.space.check_same(&x.space)?;
        Ok(Self {
            values: self.values + scaled(x.values.clone(), a),
            space: self.space,
        })
    }

    fn scale(self, a: f64) -> Self {
        Self {
            values: scaled(self.values, a),
            space: self.space,
        }
    }

    fn dot(&self, x: &Self) -> Result<f64, CurvatureError> {
        self.space.check_same(&x.space)?;
        Ok(product(&self.values, &x.values)?.value())
    }

    fn max_abs(&self) -> Result<f64, CurvatureError> {
        Ok(max_abs(&self.values)?)
    }

    fn norm(&self) -> Result<f64, CurvatureError> {
        Ok(norm(&self.values)?)
    }
}

impl FlatVector for OutputVector {
    fn flat(&self) -> &Tensor<1> {
        &self.values
    }

    fn from_flat(space: &OutputSpace, values: Tensor<1>) -> Result<Self, CurvatureError> {
        Self::from_values(space, values)
    }

    fn place(space: &OutputSpace) -> Result<(Device, DType), CurvatureError> {
        Ok((space.device.clone(), space.dtype))
    }
}
