use burn::config::Config;
use burn::module::Module;
use burnscape_krylov::RungeKutta;

use super::GradientFlow;
use super::descent::descend;
use crate::dynamics::DynamicsError;
use crate::loss::Risk;
use crate::range::{POSITIVE, ensure};

/// The gradient flow `dw/dt = −∇L(w)`: gradient descent with steps of length zero.
///
/// It is what gradient descent does as long as its rate `η` is small against `2/λ_max`; a step of descent is a time of
/// `η`. Where the two differ, it is the rate, not the loss, that decides what is learned. Compare with the
/// [central flow](super::CentralFlowConfig) there.
///
/// An explicit Runge-Kutta method with error control takes the steps ([`krylov::FlowConfig`](crate::krylov::FlowConfig)).
/// The largest eigenvalue `λ_max` of the Hessian is measured at the start and every
/// [`sharpness_interval`](Self::sharpness_interval) steps, and no step is longer than 0.9 of what is stable for it. A
/// loss that rises along a step by more than rounding shows that the step does not follow the flow: it is made again,
/// half as long, up to ten times.
///
/// Frozen parameters and those outside the [group](Risk::with_group) of the risk stay where they are. Running
/// statistics are those of the model.
///
/// # Units
///
/// Time: parameter squared per loss, as a learning rate. A loss that is a sum over examples flows as many times as
/// fast as their mean.
///
/// # Cost
///
/// A gradient over the data for each stage: 6 for each step tried (Bogacki-Shampine: 3). Steps are at most
/// `3 / λ_max` long (2.3), so that a flow takes `2 T λ_max` gradients (1.3) or more, and a dozen Hessian products for
/// each reading of the sharpness. About 13 vectors of parameters, and the residuals of a
/// [`Hessian`](crate::curvature::Hessian).
///
/// # Errors
///
/// [`DynamicsError::OutOfRange`] for a negative end time and other settings; [`DynamicsError::StiffFlow`] if stability
/// alone takes more than [`max_gradients`](Self::max_gradients); [`LossError::Draws`](crate::loss::LossError::Draws) for
/// a loss that draws random numbers (fix them with [`Risk::with_draws_seed`]); a
/// [step too short](crate::krylov::KrylovFault::StepTooShort) where the flow becomes infinite; and those of the
/// gradient and the Hessian.
///
/// # Reproducibility
///
/// The seed decides the random vectors of the searches for `λ_max`, on which the lengths of the steps depend.
///
/// # Defaults
///
/// Dormand-Prince, as SciPy. Tolerances of a step, relative to `|w|` and absolute: 1e-5 and 1e-8 in double precision,
/// 1e-3 and 1e-6 otherwise. A reading every 10 steps, at most 100,000 gradients, seed 0. They are ours. Tolerances are
/// relative to `|w|`, not to how far it moves: lower them for wide networks, which move by a small part of it.
///
/// # References
///
/// Elkabetz, Cohen 2021, *Continuous vs. Discrete Optimization of Deep Neural Networks*, arXiv:2107.06608; the methods:
/// [`RungeKutta`].
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::dynamics::GradientFlowConfig;
/// use burnscape::loss::Risk;
/// use burnscape::space::{ParamSpace, ParamVector};
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let space = ParamSpace::of(&model)?;
/// let start = ParamVector::from_host(&space, &[3.0, -1.0])?.apply_to(&model)?;
/// let loss = |m: &Linear, x: Tensor<2>| (m.forward(x) - 5.0).square().mean() / 2.0;
/// let data = [Tensor::<2>::from_data([[1.0, 2.0]], &device)];
///
/// // The loss is ½ (w₁ + 2 w₂ − 5)²: the flow moves along (1, 2) only.
/// let flow = GradientFlowConfig::new(5.0).run(&Risk::new(&loss, &data), &start)?;
/// let end = ParamVector::from_module(&space, &flow.model)?.to_host()?;
/// assert!((end[0] - 3.8).abs() < 1e-4 && (end[1] - 0.6).abs() < 1e-4);
/// assert!(flow.completed && (flow.sharpness[0] - 5.0).abs() < 1e-3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct GradientFlowConfig {
    /// The time at which the flow ends.
    pub end_time: f64,
    /// The Runge-Kutta method.
    #[config(default = "RungeKutta::DormandPrince")]
    pub method: RungeKutta,
    /// The error tolerated in a step, relative to the length of `w`: at least 100 ε. None: by the type of the
    /// parameters.
    pub relative_tolerance: Option<f64>,
    /// The error tolerated in a step, in units of a weight. None: by the type of the parameters.
    pub absolute_tolerance: Option<f64>,
    /// Steps between two readings of the sharpness.
    #[config(default = 10)]
    pub sharpness_interval: usize,
    /// The most gradients of the flow, without those of the readings. A flow that reaches it ends early.
    #[config(default = 100_000)]
    pub max_gradients: usize,
    /// Seed of the searches for the sharpness.
    #[config(default = 0)]
    pub seed: u64,
}

impl GradientFlowConfig {
    /// Follows the flow from `model`, which is not changed. The observer of the risk sees each step, with the loss at its
    /// end; a flow that it stops has the results so far.
    ///
    /// # Errors
    ///
    /// As [`GradientFlowConfig`] states.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<GradientFlow<M>, DynamicsError> {
        self.check()?;
        risk.in_time(model, || descend(self, risk, model))
    }

    fn check(&self) -> Result<(), DynamicsError> {
        let tolerances = [self.relative_tolerance, self.absolute_tolerance];
        check(self.end_time, self.method, tolerances, self.max_gradients)?;
        ensure("sharpness_interval", self.sharpness_interval as f64, 1.0..)?;
        Ok(())
    }
}

/// Refuses settings of a flow that are out of range.
pub(super) fn check(
    end_time: f64,
    method: RungeKutta,
    [relative, absolute]: [Option<f64>; 2],
    max_gradients: usize,
) -> Result<(), DynamicsError> {
    ensure("end_time", end_time, 0.0..)?;
    if let Some(relative) = relative {
        ensure("relative_tolerance", relative, POSITIVE)?;
    }
    if let Some(absolute) = absolute {
        ensure("absolute_tolerance", absolute, 0.0..)?;
    }
    // One step, and two at the start.
    let fewest = (method.evaluations_per_step() + 2) as f64;
    ensure("max_gradients", max_gradients as f64, fewest..)?;
    Ok(())
}
