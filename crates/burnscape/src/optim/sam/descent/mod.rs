//! The gradient for the base optimizer. Each variant has a file.

mod look;
mod surrogate_gap;
mod weighted;

use std::sync::Arc;

use burn::config::Config;

use look::Look;
use surrogate_gap::SurrogateGap;
use weighted::Weighted;

use super::part::{AnyPart, Plain, fresh};
use crate::space::LeafVector;

/// The gradient for the base optimizer, made of `g` at the weights and `g_p` at the displaced weights.
#[derive(Config, Debug, PartialEq)]
pub enum DescentGradient {
    /// `g_p` (SAM).
    Perturbed,
    /// `g_p − alpha g_perp`, with `g_perp` the part of `g` that is orthogonal to `g_p` (GSAM; Zhuang
    /// et al. 2022, arXiv:2203.08065). It lowers the surrogate gap `L(w+e) − L(w)`.
    SurrogateGap {
        /// The paper's default is 0.4.
        alpha: f64,
    },
    /// `a g_p + (1 − a) g` with `a = gamma / (1 − gamma)` (WSAM; Yue et al. 2023, arXiv:2305.15817).
    /// `gamma` ½ is SAM, 0 the base optimizer.
    Weighted {
        /// The paper's default is 0.9.
        gamma: f64,
        /// If true, the base optimizer gets `g`, and the weights then move by `−lr a (g_p − g)`
        /// outside of its state.
        decoupled: bool,
    },
    /// `g_p` every `every` steps, and `g_v = g_p − (⟨g_p, g⟩ / |g|²) g` kept; between,
    /// `g + alpha |g| / |g_v| g_v` without a second gradient (LookSAM; Liu et al. 2022,
    /// arXiv:2203.02714).
    Look {
        /// Steps from one ascent to the next. The paper's default is 5.
        every: usize,
        /// The paper's default is 0.7.
        alpha: f64,
    },
}

impl DescentGradient {
    /// The implementation, without a past.
    pub(super) fn part(&self) -> Arc<dyn AnyPart> {
        match *self {
            Self::Perturbed => fresh(Plain),
            Self::SurrogateGap { alpha } => fresh(SurrogateGap { alpha }),
            Self::Weighted { gamma, decoupled } => fresh(Weighted { gamma, decoupled }),
            Self::Look { every, alpha } => fresh(Look { every, alpha }),
        }
    }
}

/// The result of a descent.
#[derive(Debug)]
pub(in crate::optim) struct Descent {
    /// For the base optimizer.
    pub(in crate::optim) gradient: LeafVector,
    /// Added to the weights after the base step, times minus the learning rate.
    pub(in crate::optim) shift: Option<LeafVector>,
}

impl Descent {
    pub(super) fn only(gradient: LeafVector) -> Self {
        Self {
            gradient,
            shift: None,
        }
    }
}
