use serde::{Deserialize, Serialize};

use super::states::State;
use crate::dynamics::DynamicsError;

/// The diagonal matrix `P` by which an optimizer divides the gradient.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum Denominator {
    /// `(1 − β₁ᵗ)(√(v / (1 − β₂ᵗ)) + ε)`, of Adam and AdamW.
    Adam {
        beta_1: f32,
        beta_2: f32,
        epsilon: f32,
        amsgrad: bool,
    },
    /// `√a + ε`.
    RmsProp {
        epsilon: f32,
        centered: bool,
        has_momentum: bool,
    },
    /// `(√s + ε)(1 + t · lr_decay)`: the rate of the next step is divided by the second factor.
    AdaGrad { epsilon: f32, lr_decay: f64 },
}

impl Denominator {
    /// The optimizer.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Adam { .. } => "Adam",
            Self::RmsProp { .. } => "RMSProp",
            Self::AdaGrad { .. } => "AdaGrad",
        }
    }

    /// The diagonal for one parameter.
    ///
    /// What an optimizer keeps depends on its settings, so that a record of other settings is noticed.
    pub(super) fn diagonal(self, state: &State<'_>) -> Result<Vec<f64>, DynamicsError> {
        match self {
            Self::Adam {
                beta_1,
                beta_2,
                epsilon,
                amsgrad,
            } => {
                const MAXIMUM: &str = "momentum.max_moment_2";
                let field = if amsgrad {
                    MAXIMUM
                } else {
                    "momentum.moment_2"
                };
                let squares = state.values(field)?;
                state.refuse_unless(amsgrad, MAXIMUM)?;
                let time = i32::try_from(state.count("momentum.time")?).unwrap_or(i32::MAX);
                // As Burn rounds it, in single precision.
                let correction = |beta: f32| f64::from(1.0 - beta.powi(time));
                let (first, second) = (correction(beta_1), correction(beta_2));
                let of = |square: f64| first * ((square / second).sqrt() + f64::from(epsilon));
                Ok(squares.into_iter().map(of).collect())
            }
            Self::RmsProp {
                epsilon,
                centered,
                has_momentum,
            } => {
                let squares = state.values("centered.avg")?;
                state.refuse_unless(centered, "centered.grad_avg")?;
                state.refuse_unless(has_momentum, "momentum.buf")?;
                let of = |square: f64| square.sqrt() + f64::from(epsilon);
                Ok(squares.into_iter().map(of).collect())
            }
            Self::AdaGrad { epsilon, lr_decay } => {
                let squares = state.values("lr_decay.sum")?;
                let slower = 1.0 + state.count("lr_decay.time")? as f64 * lr_decay;
                let of = |square: f64| (square.sqrt() + f64::from(epsilon)) * slower;
                Ok(squares.into_iter().map(of).collect())
            }
        }
    }
}
