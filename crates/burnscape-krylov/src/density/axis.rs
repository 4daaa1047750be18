use serde::{Deserialize, Serialize};

/// The axis along which eigenvalues are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub enum Axis {
    /// The eigenvalues themselves.
    #[default]
    Linear,
    /// Decades of either sign: `x = asinh(λ / 2s) / ln 10`, which is `log₁₀(λ / s)` for `λ` far above the
    /// scale `s`, its mirror image far below `−s`, and linear between.
    SymmetricLog {
        /// The scale `s`, positive: much smaller eigenvalues are drawn at zero.
        scale: f64,
    },
}

impl Axis {
    /// The place of an eigenvalue on the axis.
    pub fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::SymmetricLog { scale } => {
                (value / (2.0 * scale)).asinh() / std::f64::consts::LN_10
            }
        }
    }

    /// The eigenvalue at a place of the axis.
    pub fn value(self, place: f64) -> f64 {
        match self {
            Self::Linear => place,
            Self::SymmetricLog { scale } => 2.0 * scale * (place * std::f64::consts::LN_10).sinh(),
        }
    }
}
