//! The ascent, which finds the point of the second gradient. Each variant has a file.

mod context;
mod custom;
mod projected;
mod rule;
mod trust_region;

use std::sync::Arc;

use burn::config::Config;

pub use context::AscentContext;
pub(super) use context::{ModelMaximum, Nearby};
pub use custom::CustomAscent;
use projected::Projected;
pub use rule::{AscentRule, Perturbation};
use trust_region::TrustRegion;

use super::part::{AnyPart, Plain, fresh};

/// The method that finds the displacement.
#[derive(Config, Debug, PartialEq)]
pub enum Ascent {
    /// One step of length `rho` along the [ascent direction](crate::optim::AscentDirection) (SAM).
    OneStep,
    /// Projected gradient ascent on `max L(w + v)` over `|v| ≤ rho`: `v ← Π(v + step_size · rho ·
    /// ĝ(w + v))`, from SAM's `e` and from random points of the sphere; the best point found is
    /// used. By Danskin's theorem the gradient there is that of the robust loss, so this descends
    /// `F_rho(w) = max_{|v| ≤ rho} L(w + v)` itself (SA-GD, arXiv:2511.03548).
    ///
    /// Costs `restarts · steps` gradients besides the first. The larger the step, the nearer each
    /// iterate is to the ball's best point for the last gradient; one and more converge to
    /// maximizers on the sphere, smaller ones also to maximizers inside. Starts are compared by
    /// their losses, so that several need a closure that returns one.
    Projected {
        /// Gradients for each start.
        steps: usize,
        /// Starts: the first from SAM's displacement, the others random.
        restarts: usize,
        /// Length of a step in units of `rho`.
        step_size: f64,
    },
    /// The exact maximizer of the loss's quadratic model, `max gᵀv + ½ vᵀHv` over `|v| ≤ rho` with the
    /// Hessian `H` of the batch's loss: by Lanczos, global, the hard case (a gradient that does not see
    /// the direction of largest curvature, where SAM does not either) included; see
    /// [`TrustRegionConfig`](crate::krylov::TrustRegionConfig). The second gradient is that of
    /// the loss at `w + v`, not of the model. For a quadratic loss this descends `F_rho(w) = max_{|v| ≤ rho} L(w + v)`
    /// exactly; elsewhere the model's error, of third order in `rho`, remains. In the hard
    /// case the loss is evaluated at both maximizers and the higher one used.
    ///
    /// Needs [`step_on`](crate::optim::Sam::step_on), which traces the loss, in the mode that the model is in. In each
    /// step, and for each group of m-sharpness, it costs a trace, a gradient and the Hessian-vector products of the
    /// report, besides the two gradients (three in the hard case), and a vector for each product.
    TrustRegion {
        /// Largest dimension of the Krylov space. If it is too small, the report states that the maximization has not
        /// converged, and the step uses the best point of that space.
        max_basis: usize,
        /// Largest residual `|(μI − H) v − g|`, relative to `|g| + |H| |v|`.
        tolerance: f64,
    },
    /// An ascent of another crate: see [`Ascent::custom`].
    Custom(CustomAscent),
}

impl Ascent {
    /// An ascent that is defined outside this crate. [`AscentRule`] has an example.
    pub fn custom(rule: impl AscentRule) -> Self {
        Self::Custom(CustomAscent::new(rule))
    }

    /// The implementation, without a past.
    pub(super) fn part(&self) -> Arc<dyn AnyPart> {
        match *self {
            Self::OneStep => fresh(Plain),
            Self::Projected {
                steps,
                restarts,
                step_size,
            } => fresh(Projected {
                steps,
                restarts,
                step_size,
            }),
            Self::TrustRegion {
                max_basis,
                tolerance,
            } => fresh(TrustRegion {
                max_basis,
                tolerance,
            }),
            Self::Custom(ref ascent) => ascent.part(),
        }
    }
}
