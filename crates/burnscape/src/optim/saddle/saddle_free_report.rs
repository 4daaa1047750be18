use crate::optim::SkipReason;

/// The result of one step of [`SaddleFreeNewton`](super::SaddleFreeNewton).
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct SaddleFreeReport {
    /// The loss at the weights before the step.
    pub loss: Option<f64>,
    /// `|g|` there.
    pub gradient_norm: f64,
    /// The lowest Ritz value of the Hessian, an upper bound of its lowest eigenvalue: negative where a
    /// direction of negative curvature was seen.
    pub lowest_ritz: Option<f64>,
    /// A bound of the distance from it to the nearest eigenvalue.
    pub ritz_residual: Option<f64>,
    /// Whether the step was lengthened along a direction of negative curvature.
    pub escaped: bool,
    /// Length of the step before the rate.
    pub step_norm: f64,
    /// Hessian-vector products.
    pub num_matvecs: usize,
    /// Gradients taken: one for the step and one with the Hessian.
    pub num_gradients: usize,
    /// Set if the weights were not moved.
    pub skipped: Option<SkipReason>,
}
