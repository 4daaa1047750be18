//! Operators over device vectors, with a separate error type.

use burnscape_krylov::{Dense, HasAdjoint, KrylovFault, LinearOperator, SelfAdjoint, VectorSpace};

use super::device_vector::{DeviceError, DeviceSpace, DeviceVector};

/// Errors of an operator over device vectors: its failures, and those of both sides.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum CurvatureError {
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Krylov(#[from] KrylovFault),
    #[error("batch {batch} is broken")]
    Batch { batch: usize },
}

/// A linear function of device parameters with outputs on the host: rectangular, in two senses.
pub(crate) struct Jacobian(pub(crate) DeviceSpace, pub(crate) Dense);

impl LinearOperator for Jacobian {
    type Domain = DeviceVector;
    type Range = Vec<f64>;
    type Error = CurvatureError;

    fn domain(&self) -> DeviceSpace {
        self.0.clone()
    }

    fn range(&self) -> usize {
        self.1.num_rows()
    }

    fn matvec(&self, v: &DeviceVector) -> Result<Vec<f64>, CurvatureError> {
        DeviceVector::check_same(&self.0, &v.space())?;
        Ok(self.1.matvec(&v.to_host()?)?)
    }
}

impl HasAdjoint for Jacobian {
    fn matvec_adjoint(&self, u: &Vec<f64>) -> Result<DeviceVector, CurvatureError> {
        Ok(DeviceVector::from_host(
            &self.0,
            &self.1.matvec_adjoint(u)?,
        )?)
    }
}

/// Multiplies each coordinate on the device; its error is the vectors' own.
pub(crate) struct Diagonal(pub(crate) DeviceSpace);

impl LinearOperator for Diagonal {
    type Domain = DeviceVector;
    type Range = DeviceVector;
    type Error = DeviceError;

    fn domain(&self) -> DeviceSpace {
        self.0.clone()
    }

    fn range(&self) -> DeviceSpace {
        self.0.clone()
    }

    fn matvec(&self, v: &DeviceVector) -> Result<DeviceVector, DeviceError> {
        DeviceVector::check_same(&self.0, &v.space())?;
        Ok(v.clone().scale(3.0))
    }
}

impl SelfAdjoint for Diagonal {}

/// Fails in its second batch.
pub(crate) struct Broken(pub(crate) DeviceSpace);

impl LinearOperator for Broken {
    type Domain = DeviceVector;
    type Range = DeviceVector;
    type Error = CurvatureError;

    fn domain(&self) -> DeviceSpace {
        self.0.clone()
    }

    fn range(&self) -> DeviceSpace {
        self.0.clone()
    }

    fn matvec(&self, _v: &DeviceVector) -> Result<DeviceVector, CurvatureError> {
        Err(CurvatureError::Batch { batch: 1 })
    }
}

/// A diagonal matrix on the device.
pub(crate) struct Spectrum(pub(crate) DeviceSpace, pub(crate) Vec<f32>);

impl LinearOperator for Spectrum {
    type Domain = DeviceVector;
    type Range = DeviceVector;
    type Error = DeviceError;

    fn domain(&self) -> DeviceSpace {
        self.0.clone()
    }

    fn range(&self) -> DeviceSpace {
        self.0.clone()
    }

    fn matvec(&self, v: &DeviceVector) -> Result<DeviceVector, DeviceError> {
        DeviceVector::check_same(&self.0, &v.space())?;
        Ok(v.clone().times(&self.1))
    }
}

impl SelfAdjoint for Spectrum {}
