use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use crate::loss::LossError;
use crate::loss::scalar::gradients;
use crate::space::{
    LeafVector, ParamSpace, SpaceError, Wide, as_accumulator, moved, scaled, to_host,
};

/// A loss and its gradients at one point.
#[derive(Debug)]
pub struct Evaluation {
    pub(super) loss: LossValue,
    pub(super) gradients: GradientsParams,
}

impl Evaluation {
    /// The loss; `None` if only gradients were given.
    ///
    /// # Cost
    ///
    /// One host synchronization at the first call.
    ///
    /// # Errors
    ///
    /// [`SpaceError::Device`].
    pub fn loss(&mut self) -> Result<Option<f64>, SpaceError> {
        if let Some(tensor) = self.loss.take_tensor() {
            let value = to_host(tensor)?.first().copied();
            self.loss = value.map_or(LossValue::Unknown, LossValue::Number);
        }
        Ok(self.loss.number())
    }

    /// The gradient, as a vector of `space`.
    ///
    /// # Errors
    ///
    /// As [`LeafVector::from_gradients`].
    pub fn gradient(&self, space: &ParamSpace) -> Result<LeafVector, SpaceError> {
        LeafVector::from_gradients(space, &self.gradients)
    }
}

/// A loss on the device or on the host.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a handful a step, moved once")]
pub(super) enum LossValue {
    Tensor(Tensor<1>),
    Number(f64),
    Unknown,
}

impl LossValue {
    /// Reads inner products, and the loss if it is on the device, in one transfer.
    pub(super) fn read_with(
        mut self,
        pairs: &[(&LeafVector, &LeafVector)],
    ) -> Result<(Vec<Wide>, Option<f64>), SpaceError> {
        let scalars: Vec<Tensor<1>> = self.take_tensor().into_iter().collect();
        let (dots, values) = LeafVector::wide_dots(pairs, &scalars)?;
        Ok((dots, self.number().or(values.first().copied())))
    }

    /// The loss on a device, or the number.
    pub(super) fn on(self, device: &Device) -> Result<Self, SpaceError> {
        match self {
            Self::Tensor(tensor) => Ok(Self::Tensor(moved(tensor, device)?)),
            known => Ok(known),
        }
    }

    /// The sum of losses on one device, each with its weight; unknown unless all are known in the same way.
    pub(super) fn weighted_sum(losses: impl IntoIterator<Item = (f64, Self)>) -> Self {
        let terms = losses.into_iter().map(|(weight, loss)| match loss {
            // Half precision would lose digits of the sum.
            Self::Tensor(tensor) => Self::Tensor(scaled(as_accumulator(tensor), weight)),
            Self::Number(number) => Self::Number(weight * number),
            Self::Unknown => Self::Unknown,
        });
        let sum = terms.reduce(|sum, term| match (sum, term) {
            (Self::Tensor(sum), Self::Tensor(term)) => Self::Tensor(sum + term),
            (Self::Number(sum), Self::Number(term)) => Self::Number(sum + term),
            _ => Self::Unknown,
        });
        sum.unwrap_or(Self::Unknown)
    }

    /// The number, if it is one already.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Takes the tensor out, to be read together with others.
    pub(super) fn take_tensor(&mut self) -> Option<Tensor<1>> {
        match std::mem::replace(self, Self::Unknown) {
            Self::Tensor(tensor) => Some(tensor),
            other => {
                *self = other;
                None
            }
        }
    }
}

/// A value that a step's closure may return: the loss, of which the step takes the gradient; gradients; or both, as
/// Burn's LBFGS expects; or a `Result` of these.
#[diagnostic::on_unimplemented(
    message = "a step cannot use `{Self}` as a loss",
    label = "the closure returns `{Self}`",
    note = "return the loss as a `Tensor<1>` with one element, for example by `.mean()`; or `GradientsParams`; or both, \
            `(loss, gradients)`"
)]
pub trait IntoEvaluation {
    /// The loss and its gradients.
    ///
    /// # Errors
    ///
    /// [`LossError::NotScalar`], [`LossError::Untracked`].
    fn into_evaluation<M: Module>(self, model: &M) -> Result<Evaluation, LossError>;
}

impl IntoEvaluation for Tensor<1> {
    fn into_evaluation<M: Module>(self, model: &M) -> Result<Evaluation, LossError> {
        let gradients = gradients(&self, model)?;
        // The graph is not needed any more, and would hold all activations.
        Ok(Evaluation {
            loss: LossValue::Tensor(self.inner()),
            gradients,
        })
    }
}

impl IntoEvaluation for (f64, GradientsParams) {
    fn into_evaluation<M: Module>(self, _model: &M) -> Result<Evaluation, LossError> {
        Ok(Evaluation {
            loss: LossValue::Number(self.0),
            gradients: self.1,
        })
    }
}

impl IntoEvaluation for (Tensor<1>, GradientsParams) {
    fn into_evaluation<M: Module>(self, _model: &M) -> Result<Evaluation, LossError> {
        crate::loss::scalar::check_scalar(&self.0)?;
        Ok(Evaluation {
            loss: LossValue::Tensor(self.0.inner()),
            gradients: self.1,
        })
    }
}

impl IntoEvaluation for GradientsParams {
    fn into_evaluation<M: Module>(self, _model: &M) -> Result<Evaluation, LossError> {
        Ok(Evaluation {
            loss: LossValue::Unknown,
            gradients: self,
        })
    }
}

/// For a closure that can fail.
impl<E: IntoEvaluation> IntoEvaluation for Result<E, LossError> {
    fn into_evaluation<M: Module>(self, model: &M) -> Result<Evaluation, LossError> {
        self?.into_evaluation(model)
    }
}
