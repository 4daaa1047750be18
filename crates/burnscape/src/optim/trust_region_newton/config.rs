use burn::config::Config;

use super::TrustRegionNewton;
use crate::OutOfRange;
use crate::range::{POSITIVE, ensure};

/// Newton's method in a trust region: the step `p` is the global minimizer of the quadratic model
/// `m(p) = gᵀp + ½ pᵀHp` in a ball `|p| ≤ Δ`, with `g` and `H` of the batch's loss.
///
/// The loss at `w + p` is evaluated as well, and the ratio `ρ = (L(w) − L(w + p)) / (−m(p))` decides:
///
/// - the step is taken if `ρ > accept`; otherwise the weights stay, and the next step is shorter;
/// - if `ρ < ¼`, the next radius is a quarter of the length of `p`;
/// - if `ρ > ¾` and `p` reaches the sphere, the radius doubles, up to `max_radius`.
///
/// With full batches, the loss does not rise, up to rounding. There is no learning rate. Where the loss is convex and
/// the ball holds its step, this is Newton's method.
///
/// # Negative curvature
///
/// The model may have no minimum without the ball; in the ball it has one, along negative curvature. With
/// [`certificate`](Self::certificate), a run from a random vector also finds negative curvature that the gradient does
/// not see (on the ridge that leads to a saddle, or where `g = 0`), so that the optimizer leaves strict saddles. Where
/// `max_basis` products do not settle it, [`certified`](super::TrustRegionReport::certified) is false.
///
/// # Units
///
/// Radii are lengths in parameter space.
///
/// # Defaults
///
/// Radius 1 at the start and without a limit, acceptance above 0.1, at most 50 products in a Krylov space, with the
/// certificate: ours. The constants ¼, ¾, ¼ and 2 are those of Nocedal and Wright, algorithm 4.1.
///
/// # Example
///
/// ```
/// use burn::module::{Module, Param};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::optim::TrustRegionNewtonConfig;
///
/// #[derive(Module, Debug)]
/// struct Point {
///     w: Param<Tensor<1>>,
/// }
///
/// // x² − y² + y⁴/4: a saddle at the origin, minima of −1 at (0, ±√2).
/// let loss = |m: &Point, _: Tensor<1>| {
///     let (x, y) = (m.w.val().slice(0..1).square(), m.w.val().slice(1..2).square());
///     x - y.clone() + y.square() * 0.25
/// };
/// let device = Device::default().autodiff();
/// // On the ridge the gradient does not point to the minima.
/// let mut model = Point {
///     w: Param::from_tensor(Tensor::from_data([1.0, 0.0], &device)),
/// };
/// let mut newton = TrustRegionNewtonConfig::new().init()?;
/// let mut last = f64::NAN;
/// for _ in 0..12 {
///     let report = newton.step_on(&mut model, Tensor::zeros([1], &device), &loss)?;
///     last = report.loss.unwrap_or(f64::NAN);
/// }
/// assert!((last + 1.0).abs() < 1e-5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// Nocedal, Wright, *Numerical Optimization*, second edition (2006), algorithm 4.1, with `|p|` in place of `Δ` where
/// the radius shrinks; Gould, Lucidi, Roma, Toint, *Solving the trust-region subproblem using the Lanczos method*, SIAM
/// J. Optim. 9 (1999), for the step.
#[derive(Config, Debug, PartialEq)]
pub struct TrustRegionNewtonConfig {
    /// The radius of the first step.
    #[config(default = 1.0)]
    pub radius: f64,
    /// The largest radius. None: no limit.
    pub max_radius: Option<f64>,
    /// The ratio of actual to predicted decrease above which a step is taken: at least 0, less than ¼.
    #[config(default = 0.1)]
    pub accept: f64,
    /// How many vectors a Krylov space may have, each with a Hessian-vector product.
    #[config(default = 50)]
    pub max_basis: usize,
    /// The residual of the step at which its Krylov space is large enough, relative to `|g| + |H| |p|`.
    #[config(default = 1e-6)]
    pub tolerance: f64,
    /// Searches for negative curvature that the gradient does not see. It takes up to as many products again.
    #[config(default = true)]
    pub certificate: bool,
    /// Seed of the random vectors.
    #[config(default = 0)]
    pub seed: u64,
    /// Seeds the device from this and the step before each evaluation, so that all of a step draw the same dropout
    /// masks. Without it, a loss that draws random numbers is refused: the ratio would compare two functions.
    pub draws_seed: Option<u64>,
}

impl TrustRegionNewtonConfig {
    /// Builds the optimizer.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`].
    pub fn init(&self) -> Result<TrustRegionNewton, OutOfRange> {
        ensure("radius", self.radius, POSITIVE)?;
        if let Some(radius) = self.max_radius {
            ensure("max_radius", radius, self.radius..)?;
        }
        ensure("accept", self.accept, 0.0..0.25)?;
        ensure("max_basis", self.max_basis as f64, 1.0..)?;
        ensure("tolerance", self.tolerance, POSITIVE)?;
        Ok(TrustRegionNewton::from_config(self.clone()))
    }
}
