use burn::config::Config;

use super::SaddleFreeNewton;
use crate::OutOfRange;
use crate::range::{POSITIVE, ensure};

/// Saddle-free Newton: `w ← w − lr (|H| + damping I)⁻¹ g`, with `|H|` the Hessian of the batch's loss with
/// all eigenvalues replaced by their absolute values. A saddle attracts Newton's method and repels this one, at a rate
/// that does not depend on the flatness of the saddle.
///
/// The matrix is used in the Krylov space of the gradient: `Qᵀ (|T| + damping I)⁻¹ Q g` with `T = Q H Qᵀ`
/// after `steps` products.
///
/// # Outside the Krylov space
///
/// The gradient lies in the Krylov space, so that no part of a gradient step is lost; the curvature is not exact if
/// `steps` are too few to exhaust the space. A direction `u` of negative curvature that is orthogonal to the gradient (as
/// on the ridge that leads to a saddle, or where `g = 0`) is not in it, and the step does not move along it. With
/// `escape > 0` a second run of `steps` products, from a random vector, finds such a direction, and lengthens the step
/// along it to `escape`, downhill.
///
/// # Units
///
/// `damping` is a curvature: loss per squared parameter. `escape` and `max_step` are lengths in parameter
/// space, before the rate.
///
/// # Defaults
///
/// 20 products, damping 1e-3, no escape, steps of any length; ours. Dauphin et al. use up to 500 vectors and choose the
/// damping at each step among powers of ten, which costs losses.
///
/// # Example
///
/// ```
/// use burn::module::{Module, Param};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::optim::SaddleFreeNewtonConfig;
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
/// let mut model = Point {
///     w: Param::from_tensor(Tensor::from_data([1.0, 1e-3], &device)),
/// };
/// let mut newton = SaddleFreeNewtonConfig::new().with_max_step(Some(0.5)).init()?;
/// let mut last = 0.0;
/// for _ in 0..20 {
///     let report = newton.step_on(1.0, &mut model, Tensor::zeros([1], &device), &loss)?;
///     last = report.loss.unwrap_or(f64::NAN);
/// }
/// assert!((last + 1.0).abs() < 1e-3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Reference
///
/// Dauphin, Pascanu, Gulcehre, Cho, Ganguli, Bengio 2014, *Identifying and attacking the saddle point
/// problem in high-dimensional non-convex optimization*, arXiv:1406.2572.
#[derive(Config, Debug, PartialEq)]
pub struct SaddleFreeNewtonConfig {
    /// Hessian-vector products, each a vector of the Krylov space.
    #[config(default = 20)]
    pub steps: usize,
    /// A curvature that is added to the absolute curvatures.
    #[config(default = 1e-3)]
    pub damping: f64,
    /// Least length of a step along a direction of negative curvature; zero searches for none.
    #[config(default = 0.0)]
    pub escape: f64,
    /// Largest length of a step, without its escape; longer ones are scaled down.
    pub max_step: Option<f64>,
    /// Seed of the random vectors.
    #[config(default = 0)]
    pub seed: u64,
}

impl SaddleFreeNewtonConfig {
    /// Builds the optimizer.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`].
    pub fn init(&self) -> Result<SaddleFreeNewton, OutOfRange> {
        ensure("steps", self.steps as f64, 1.0..)?;
        ensure("damping", self.damping, POSITIVE)?;
        ensure("escape", self.escape, 0.0..)?;
        if let Some(length) = self.max_step {
            ensure("max_step", length, POSITIVE)?;
        }
        Ok(SaddleFreeNewton::from_config(self.clone()))
    }
}
