use std::borrow::Cow;

use burn::module::Module;

use super::TrajectoryError;
use crate::loss::{LossError, NormalizationPolicy, Risk, RiskGradient};

/// How the running statistics of a model are set before its loss is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statistics {
    /// They are those of the model.
    Leave,
    /// From a pass over at most this many batches.
    Reestimate(Option<usize>),
}

impl Statistics {
    /// Those of a policy, which must not need two models.
    pub(super) fn of(policy: NormalizationPolicy) -> Result<Self, TrajectoryError> {
        policy.check()?;
        match policy {
            NormalizationPolicy::Leave => Ok(Self::Leave),
            NormalizationPolicy::ReestimateAll => Ok(Self::Reestimate(None)),
            NormalizationPolicy::Reestimate(batches) => Ok(Self::Reestimate(Some(batches))),
            NormalizationPolicy::Interpolate => Err(TrajectoryError::NoInterpolation),
        }
    }

    /// The model with its statistics.
    pub(super) fn model<'m, M: Module, K>(
        self,
        risk: &Risk<'_, M, K>,
        model: &'m M,
    ) -> Result<Cow<'m, M>, LossError> {
        Ok(match self {
            Self::Leave => Cow::Borrowed(model),
            Self::Reestimate(batches) => Cow::Owned(risk.reestimate(model, batches)?),
        })
    }

    /// The loss of the model with its statistics, also one that is not finite. NaN if the statistics are not finite.
    pub(super) fn loss<M: Module, K>(
        self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<f64, LossError> {
        match self.model(risk, model) {
            Ok(model) => kept_loss(risk, &model),
            // Far from the checkpoints they may overflow, as the loss may.
            Err(LossError::Statistics { .. }) => Ok(f64::NAN),
            Err(error) => Err(error),
        }
    }

    /// Loss and gradient of the model with its statistics, which are held fixed.
    pub(super) fn gradient<M: Module, K>(
        self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<RiskGradient, LossError> {
        let model = self.model(risk, model)?;
        risk.whole_gradient(&model)
    }
}

/// The loss of a model, also one that is not finite.
pub(super) fn kept_loss<M: Module, K>(risk: &Risk<'_, M, K>, model: &M) -> Result<f64, LossError> {
    match risk.whole_loss(model) {
        Ok(found) => Ok(found.value),
        Err(LossError::NonFinite { value, .. }) => Ok(value),
        Err(error) => Err(error),
    }
}
