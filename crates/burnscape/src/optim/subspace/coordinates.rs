use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor, TensorData};

use crate::loss::LossError;
use crate::optim::{Evaluation, IntoEvaluation};
use crate::space::{ParamSpace, SpaceError, to_host};

/// The coordinates in a subspace, as the module that the base optimizer moves.
#[derive(Module, Debug)]
pub(super) struct Coordinates {
    z: Param<Tensor<1>>,
}

impl Coordinates {
    /// These coordinates, on the device of the parameters. In half precision small steps of them would be lost.
    pub(super) fn at(values: &[f64], space: &ParamSpace) -> Result<Self, SpaceError> {
        let dtype = match space.dtype()? {
            DType::F64 => DType::F64,
            _ => DType::F32,
        };
        let device = space.device().clone().autodiff();
        let data = TensorData::new(values.to_vec(), [values.len()]);
        Ok(Self {
            z: Param::from_tensor(Tensor::from_data(data, (&device, dtype))),
        })
    }

    /// The numbers: one host synchronization.
    pub(super) fn values(&self) -> Result<Vec<f64>, SpaceError> {
        to_host(self.z.val().inner())
    }
}

/// A loss at a point of the subspace, and the gradient of its coordinates.
pub(super) struct Projected(pub(super) Result<Evaluation, LossError>);

impl IntoEvaluation for Projected {
    fn into_evaluation<M: Module>(self, _model: &M) -> Result<Evaluation, LossError> {
        self.0
    }
}
