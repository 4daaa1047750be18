//! Models between two others.

use burn::module::Module;
use burn::tensor::Tensor;

use super::AlignError;
use super::weights::check_model;
use crate::loss::{Mode, Risk};
use crate::space::{FloatTensor, SpaceError, float_tensors, unshared_copy, with_values};
use crate::symmetry::{Element, Symmetries};

/// The means of two models, the second one moved.
pub(super) struct Midpoints<M> {
    /// A copy of the first model, on autodiff.
    model: M,
    tensors: Vec<FloatTensor>,
    /// The flat tensors of the second model, where those of the first one are and of their type.
    others: Vec<Tensor<1>>,
}

impl<M: Module> Midpoints<M> {
    /// `model` is on autodiff if the means are to be.
    pub(super) fn new(symmetries: &Symmetries, model: &M, b: &M) -> Result<Self, AlignError> {
        let tensors = float_tensors(model)?;
        check_model(symmetries, "a", &tensors)?;
        let others = float_tensors(b)?;
        check_model(symmetries, "b", &others)?;
        let others = others.into_iter().zip(&tensors);
        let others = others.map(|(other, own)| placed(other.values, &own.values));
        Ok(Self {
            others: others.collect::<Result<_, _>>()?,
            model: unshared_copy(model),
            tensors,
        })
    }

    /// The float tensors of the first model.
    pub(super) fn tensors(&self) -> &[FloatTensor] {
        &self.tensors
    }

    /// Those of the second one, as they are.
    pub(super) fn others(&self) -> &[Tensor<1>] {
        &self.others
    }

    /// The mean of the first model and the second one under an element.
    pub(super) fn at(&self, element: &Element) -> M {
        self.of(|index| element.moved(index, self.others[index].clone()))
    }

    /// The mean of the first model and other flat tensors, by index.
    pub(super) fn of(&self, moved: impl Fn(usize) -> Tensor<1>) -> M {
        let means = self.tensors.iter().enumerate().map(|(index, own)| {
            // Halves first, so that half precision does not overflow.
            let mean = own.values.clone().mul_scalar(0.5) + moved(index).mul_scalar(0.5);
            (own, mean)
        });
        with_values(&self.model, means)
    }

    /// Returns an error for a risk with a group, and for one in evaluation mode if there are running statistics.
    pub(super) fn check_risk<K>(&self, risk: &Risk<'_, M, K>) -> Result<(), AlignError> {
        if risk.has_group() {
            return Err(AlignError::ParameterGroup);
        }
        let mut statistics = self.tensors.iter();
        if risk.mode() == Mode::Eval
            && let Some(statistic) = statistics.find(|tensor| tensor.is_running_statistic)
        {
            return Err(AlignError::RunningStatistics {
                path: statistic.paths.first().cloned().unwrap_or_default(),
            });
        }
        Ok(())
    }
}

/// Values on the device and in the element type of others.
fn placed(values: Tensor<1>, like: &Tensor<1>) -> Result<Tensor<1>, SpaceError> {
    let (device, dtype) = (like.device(), like.dtype());
    if values.device() == device {
        return Ok(if values.dtype() == dtype {
            values
        } else {
            values.cast(dtype)
        });
    }
    let data = values.try_into_data().map_err(|error| SpaceError::Device {
        message: format!("{error:?}"),
    })?;
    Ok(Tensor::from_data(data, (&device, dtype)))
}
