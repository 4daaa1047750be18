use std::cell::Cell;

use burn::module::Module;
use burn::tensor::DType;
use burnscape_krylov::{KrylovFault, RungeKutta};

use crate::curvature::CurvatureError;
use crate::dynamics::DynamicsError;
use crate::loss::{LossError, Risk};
use crate::space::ParamVector;

/// The share of the longest stable step that is taken: at the limit itself, the fastest decay stands still.
const SHARE: f64 = 0.9;

/// What is tolerated in one step, relative and absolute: as set, or by the type of the parameters.
pub(super) fn tolerances(set: [Option<f64>; 2], dtype: DType) -> [f64; 2] {
    let [relative, absolute] = match dtype {
        DType::F64 => [1e-5, 1e-8],
        _ => [1e-3, 1e-6],
    };
    [set[0].unwrap_or(relative), set[1].unwrap_or(absolute)]
}

/// The longest step of a method where the fastest decay has this rate; infinite without decay.
pub(super) fn longest(method: RungeKutta, rate: f64) -> f64 {
    if rate > 0.0 {
        SHARE * method.stability_limit() / rate
    } else {
        f64::INFINITY
    }
}

/// Whether an observer ended the work.
pub(super) fn is_stop(error: &DynamicsError) -> bool {
    matches!(
        error,
        DynamicsError::Loss(LossError::Stopped { .. })
            | DynamicsError::Curvature(CurvatureError::Stopped)
    )
}

/// Whether something is not finite at weights that a step should not have reached.
pub(super) fn is_not_finite(error: &DynamicsError) -> bool {
    let is_of_loss = |error: &LossError| {
        matches!(
            error,
            LossError::NonFinite { .. } | LossError::NonFiniteGradient { .. }
        )
    };
    match error {
        DynamicsError::Loss(error) => is_of_loss(error),
        DynamicsError::Curvature(error) => match error {
            CurvatureError::Loss(error) => is_of_loss(error),
            CurvatureError::NonFiniteGradient { .. }
            | CurvatureError::NonFiniteProduct { .. }
            | CurvatureError::NonFiniteOutputs { .. }
            | CurvatureError::Krylov(KrylovFault::NonFinite { .. }) => true,
            _ => false,
        },
        _ => false,
    }
}

/// A vector that makes the solver take a shorter step.
pub(super) fn nothing(weights: &ParamVector) -> ParamVector {
    weights.clone().scale(f64::NAN)
}

/// The gradient of a loss at the weights that a solver asks for.
pub(super) struct Downhill<'r, 'a, M, K> {
    pub(super) risk: &'r Risk<'a, M, K>,
    /// Everything but the weights.
    pub(super) model: &'r M,
    /// The loss at the last weights: at the end of a step that was accepted.
    pub(super) loss: Cell<f64>,
    pub(super) num_gradients: Cell<usize>,
}

impl<'r, 'a, M: Module, K> Downhill<'r, 'a, M, K> {
    pub(super) fn new(risk: &'r Risk<'a, M, K>, model: &'r M) -> Self {
        Self {
            risk,
            model,
            loss: Cell::new(f64::NAN),
            num_gradients: Cell::new(0),
        }
    }

    /// `−rate ∇L`.
    pub(super) fn at(
        &self,
        weights: &ParamVector,
        rate: f64,
    ) -> Result<ParamVector, DynamicsError> {
        self.num_gradients.set(self.num_gradients.get() + 1);
        let model = weights.apply_to(self.model)?;
        match self
            .risk
            .whole_gradient(&model)
            .map_err(DynamicsError::from)
        {
            Ok(found) => {
                self.loss.set(found.value);
                Ok(found.gradient.scale(-rate))
            }
            Err(error) if is_not_finite(&error) => Ok(nothing(weights)),
            Err(error) => Err(error),
        }
    }
}
