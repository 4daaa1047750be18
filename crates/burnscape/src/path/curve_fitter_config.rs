use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;

use super::rate::Rate;
use super::{Curve, CurveFitter, PathError, TimeSampling};
use crate::loss::Mode;
use crate::range::{POSITIVE, ensure};

/// Settings of a fit of a curve. It moves the inner control points to minimize the mean loss along the curve,
///
/// `∫₀¹ L(θ(t)) + wd/2 |θ(t)|² dt`.
///
/// Each batch is evaluated at one place `t` (or at several), and control point `k` gets the gradient
/// `weight_k(t) · ∇L(θ(t))`. The ends do not move.
///
/// # Example
///
/// ```
/// use std::ops::ControlFlow;
///
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::SgdConfig;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::path::{BezierCurve, Curve, CurveFitterConfig};
///
/// let device = Device::default().autodiff();
/// let [a, b] = [(); 2].map(|()| LinearConfig::new(2, 1).init(&device));
/// let data = [(Tensor::<2>::ones([8, 2], &device), Tensor::<2>::zeros([8, 1], &device))];
/// let loss = |m: &Linear, (x, y): (Tensor<2>, Tensor<2>)| (m.forward(x) - y).powi_scalar(2).mean();
///
/// let mut fitter = CurveFitterConfig::new(0.1)
///     .with_seed(1)
///     .init(BezierCurve::between(&a, &b, 2)?, SgdConfig::new().init())?;
/// let risk = Risk::new(&loss, &data).with_observer(|step| {
///     println!("{step}"); // step 1: 0.42
///     ControlFlow::Continue(())
/// });
/// let fitted = fitter.run(&risk, 50)?;
/// assert_eq!(fitter.num_steps(), 50);
/// # let _ = fitted.point(0.5)?;
/// # Ok::<(), burnscape::path::PathError>(())
/// ```
///
/// # Cost
///
/// A step takes one gradient for each place, and one step of the optimizer for all inner control points. Memory:
/// these points with their gradients and the optimizer's state, and one model.
///
/// # Defaults
///
/// Uniform places, one for each step, without weight decay and clipping. Garipov et al. 2018 use SGD with momentum, a
/// weight decay of 5e-4 on the point of the curve, and the schedule of
/// [`GaripovLrScheduler`](super::GaripovLrScheduler).
///
/// # References
///
/// Garipov, Izmailov, Podoprikhin, Vetrov, Wilson 2018, *Loss Surfaces, Mode Connectivity, and Fast
/// Ensembling of DNNs*, arXiv:1802.10026
#[derive(Debug, Clone)]
pub struct CurveFitterConfig {
    pub(super) rate: Rate,
    pub(super) sampling: TimeSampling,
    pub(super) times_per_step: usize,
    pub(super) weight_decay: f64,
    pub(super) max_gradient_norm: Option<f64>,
    pub(super) seed: u64,
    pub(super) mode: Mode,
}

impl CurveFitterConfig {
    /// A fit with a learning rate: a number, or any Burn scheduler.
    pub fn new(learning_rate: impl Into<ModuleLrScheduler>) -> Self {
        Self {
            rate: Rate(learning_rate.into()),
            sampling: TimeSampling::Uniform,
            times_per_step: 1,
            weight_decay: 0.0,
            max_gradient_norm: None,
            seed: 0,
            mode: Mode::Train,
        }
    }

    /// The places on the curve where a batch is evaluated. Uniform by default.
    #[must_use]
    pub fn with_sampling(mut self, sampling: TimeSampling) -> Self {
        self.sampling = sampling;
        self
    }

    /// Number of places in a step, all with the same batch; the gradient is their mean. 1 by default.
    #[must_use]
    pub fn with_times_per_step(mut self, times_per_step: usize) -> Self {
        self.times_per_step = times_per_step;
        self
    }

    /// The decay `wd` of the weights at the point of the curve, not of the control points. 0 by default.
    #[must_use]
    pub fn with_weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    /// The largest norm of the gradient at the point of the curve, including the decay; a longer gradient is scaled down.
    /// It costs a host synchronization. No limit by default.
    #[must_use]
    pub fn with_max_gradient_norm(mut self, max_gradient_norm: Option<f64>) -> Self {
        self.max_gradient_norm = max_gradient_norm;
        self
    }

    /// Seed of the places. 0 by default.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The mode of the model in the loss: batch statistics and dropout, or not. [`Mode::Train`] by default.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Starts a fit. `optimizer` is any Burn optimizer or a [`Sam`](crate::optim::Sam).
    ///
    /// Parameter groups of optimizer and scheduler see the paths of the inner control points, `0.layer.weight` for
    /// the first one.
    ///
    /// # Errors
    ///
    /// [`PathError::OutOfRange`], [`PathError::NothingToFit`].
    pub fn init<M, C, O>(&self, curve: C, optimizer: O) -> Result<CurveFitter<M, C, O>, PathError>
    where
        M: Module,
        C: Curve<M>,
    {
        self.sampling.check()?;
        ensure("times_per_step", self.times_per_step as f64, 1.0..)?;
        ensure("weight_decay", self.weight_decay, 0.0..)?;
        if let Some(norm) = self.max_gradient_norm {
            ensure("max_gradient_norm", norm, POSITIVE)?;
        }
        if curve.control_points().inner().is_empty() {
            return Err(PathError::NothingToFit);
        }
        CurveFitter::new(self.clone(), curve, optimizer)
    }
}
