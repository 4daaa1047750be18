use burn::config::Config;
use burn::module::Module;
use burnscape_krylov::RungeKutta;

use super::CentralFlow;
use super::central_run::follow;
use super::config::check;
use crate::dynamics::DynamicsError;
use crate::loss::Risk;
use crate::range::{FRACTION, POSITIVE, ensure};

/// The central flow of full-batch gradient descent: the path about which it oscillates at the edge of stability.
///
/// Gradient descent with the rate `η` often raises the sharpness `S = λ_max` of the Hessian up to `2/η`, and then
/// oscillates along its eigenvector `u`. The oscillation adds `½ σ² ∇S` to the mean gradient, where `σ²` is the mean
/// squared displacement along `u`, and that holds the sharpness where it is. In units of steps, with
/// `∇S = ∇⟨u, H u⟩` at fixed `u`:
///
/// `dw/dt = −η (∇L + ½ σ² ∇S)`, `σ² = max(0, 2 ⟨−∇L, ∇S⟩ / |∇S|²)` while `S = 2/η`, and 0 below.
///
/// The flow takes the place of gradient descent without its oscillations, follows it where the
/// [gradient flow](super::GradientFlowConfig) does not, and predicts their size. `∇S` is exact: a third derivative of the
/// loss, by the engine.
///
/// It is that of a *single* critical direction. It ends where a second eigenvalue comes within 5 % of `2/η`
/// ([`second_direction`](CentralFlow::second_direction)), as it does after a while in most networks, and is refused if
/// one is there at the start. It assumes that gradient descent stays near its edge: where the oscillation grows too
/// large, descent wanders off.
///
/// The time at which the sharpness reaches `2/η` is located within the step. On the edge, `2 (S − 2/η) / (η |∇S|²)` is
/// added to `σ²`: it is zero for `S = 2/η`, and errors of the steps decay as `exp(−t)`. So does what a start is above
/// the edge; until then `σ²` is not that of descent. The flow leaves the edge where `σ²` comes to zero.
///
/// # Units
///
/// Time: steps of gradient descent. `σ²`: squared parameter.
///
/// # Cost
///
/// Below the edge, a gradient for each stage, and for each step a [`Hessian`](crate::curvature::Hessian) with a search of
/// about ten products. At the edge, all of that and a third derivative for each stage, in all the work of about thirty
/// gradients. Stability limits the steps: a step of gradient descent at the edge takes about 2.7 stages
/// (Dormand-Prince: 4). Two traces. Memory: a Hessian and its derivative, one after the other, and about 12 vectors of
/// parameters.
///
/// # Errors
///
/// [`DynamicsError::OutOfRange`]; [`DynamicsError::AboveEdge`] for a start whose sharpness is more than 5 % above `2/η`;
/// [`DynamicsError::SecondDirection`] for one whose second eigenvalue is at the edge;
/// [`DynamicsError::NotConverged`] for a search that ends before its tolerance; and those of
/// [`GradientFlowConfig`](super::GradientFlowConfig).
///
/// # Reproducibility
///
/// The seed decides the random vectors of the searches; results depend on it within the tolerances.
///
/// # Defaults
///
/// Bogacki-Shampine, which takes fewer stages where stability limits the steps. Tolerances of a step as for
/// [`GradientFlowConfig`](super::GradientFlowConfig). Eigenpairs to a residual of 1e-5 in at most 100 products, at most
/// 100,000 gradients, seed 0. They are ours.
///
/// # References
///
/// Cohen, Damian, Talwalkar, Kolter, Lee 2025, *Understanding Optimization in Deep Learning with Central Flows*,
/// arXiv:2410.24206; Damian, Nichani, Lee 2023, *Self-Stabilization*, arXiv:2209.15594.
///
/// # Example
///
/// ```
/// use burn::module::{Module, Param};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::dynamics::CentralFlowConfig;
/// use burnscape::loss::Risk;
///
/// #[derive(Module, Debug)]
/// struct Point {
///     w: Param<Tensor<1>>,
/// }
///
/// // ½ y x² + ½ (y − 20.5)². At a rate of 0.1 gradient descent ends on y = 20, where x jumps between 1 and −1.
/// let loss = |point: &Point, (): ()| {
///     let [x, y] = [0_usize, 1].map(|i| point.w.val().slice(i..i + 1));
///     (y.clone() * x.square() + (y - 20.5).square()) / 2.0
/// };
/// let w = Tensor::<1>::from_floats([0.5, 15.0], &Device::default());
/// let start = Point { w: Param::from_tensor(w) };
///
/// let flow = CentralFlowConfig::new(0.1, 40.0).run(&Risk::new(&loss, &[()]), &start)?;
/// let variance = flow.sigma_squared.last().copied().unwrap_or(0.0);
/// assert!((variance - 1.0).abs() < 1e-2);
/// assert!(flow.completed && flow.second_direction.is_none());
/// # Ok::<(), burnscape::dynamics::DynamicsError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct CentralFlowConfig {
    /// The rate `η` of gradient descent.
    pub lr: f64,
    /// The time at which the flow ends, in steps of gradient descent.
    pub end_time: f64,
    /// The Runge-Kutta method.
    #[config(default = "RungeKutta::BogackiShampine")]
    pub method: RungeKutta,
    /// The error tolerated in a step, relative to the length of `w`: at least 100 ε. None: by the type of the
    /// parameters.
    pub relative_tolerance: Option<f64>,
    /// The error tolerated in a step, in units of a weight. None: by the type of the parameters.
    pub absolute_tolerance: Option<f64>,
    /// The residual of the top eigenpair, relative to the norm of the Hessian: at least 32 ε.
    #[config(default = 1e-5)]
    pub tolerance: f64,
    /// The most products of a search for the top eigenpair: at least 5.
    #[config(default = 100)]
    pub max_matvecs: usize,
    /// The most evaluations of the flow, each a gradient or more. A flow that reaches it ends early.
    #[config(default = 100_000)]
    pub max_gradients: usize,
    /// Seed of the searches for the sharpness.
    #[config(default = 0)]
    pub seed: u64,
}

impl CentralFlowConfig {
    /// Follows the flow from `model`, which is not changed. The observer of the risk sees each step, with the loss at its
    /// end; a flow that it stops has the results so far.
    ///
    /// # Errors
    ///
    /// As [`CentralFlowConfig`] states.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<CentralFlow<M>, DynamicsError> {
        ensure("lr", self.lr, POSITIVE)?;
        let tolerances = [self.relative_tolerance, self.absolute_tolerance];
        check(self.end_time, self.method, tolerances, self.max_gradients)?;
        ensure("tolerance", self.tolerance, FRACTION)?;
        ensure("max_matvecs", self.max_matvecs as f64, 5.0..)?;
        risk.in_time(model, || follow(self, risk, model))
    }

    /// The sharpness at which gradient descent becomes unstable, `2/η`.
    pub(super) fn edge(&self) -> f64 {
        2.0 / self.lr
    }
}
