use burn::optim::momentum::MomentumConfig;

/// The sharpness above which gradient descent with Burn's momentum diverges on a quadratic loss.
///
/// Burn's momentum `β` with dampening `d` keeps `v ← β v + (1 − d) g` and steps `w ← w − lr v`, or
/// `w ← w − lr (β v + g)` with Nesterov's. On `½ λ w²` the linear map of `(w, v)` has an eigenvalue of
/// −1 at
///
/// | | edge |
/// |---|---|
/// | heavy ball | `2 (1 + β) / (lr (1 − d))` |
/// | Nesterov | `2 (1 + β) / (lr (1 + 2 β − β d))` |
///
/// and is stable below. `β = 0` and `d = 0` give `2/lr`. With `d = 0` (PyTorch's default) the heavy
/// ball has `2 (1 + β)/lr`; Burn's default is `d = 0.1`, which raises its edge by a ninth.
///
/// `None` for a rate that is not positive and finite, `β` outside `[0, 1)` or `d` not below 1.
///
/// # Units
///
/// Loss per squared parameter, as the eigenvalues of the Hessian.
///
/// # Example
///
/// ```
/// use burn::optim::momentum::MomentumConfig;
/// use burnscape::dynamics::momentum_edge;
///
/// let heavy_ball = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
/// let edge = momentum_edge(&heavy_ball, 0.1).unwrap_or(f64::NAN);
/// assert!((edge - 38.0).abs() < 1e-12);
/// let nesterov = momentum_edge(&heavy_ball.with_nesterov(true), 0.1).unwrap_or(f64::NAN);
/// assert!((nesterov - 38.0 / 2.8).abs() < 1e-12);
/// ```
///
/// # References
///
/// Polyak 1964; Cohen, Kaur, Li, Kolter, Talwalkar 2021, *Gradient Descent on Neural Networks
/// Typically Occurs at the Edge of Stability*, arXiv:2103.00065, appendix B (without dampening).
pub fn momentum_edge(momentum: &MomentumConfig, lr: f64) -> Option<f64> {
    let (beta, dampening) = (momentum.momentum, momentum.dampening);
    let is_defined = lr > 0.0 && lr.is_finite() && is_momentum(momentum);
    let scale = if momentum.nesterov {
        1.0 + 2.0 * beta - beta * dampening
    } else {
        1.0 - dampening
    };
    is_defined.then(|| 2.0 * (1.0 + beta) / (lr * scale))
}

/// Whether the formulas hold: outside these ranges another eigenvalue may leave the unit circle first.
fn is_momentum(momentum: &MomentumConfig) -> bool {
    (0.0..1.0).contains(&momentum.momentum)
        && momentum.dampening < 1.0
        && momentum.dampening.is_finite()
}
