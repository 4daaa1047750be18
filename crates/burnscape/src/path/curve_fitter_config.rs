use burn::config::Config;
use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;

use super::error::check_range;
use super::{Curve, CurveFitter, PathError, TimeSampling};
use crate::loss::Mode;

/// How a curve is fitted: its free control points are moved so that the mean loss along it falls,
///
/// `∫₀¹ L(θ(t)) + wd/2 |θ(t)|² dt`.
///
/// Each batch is evaluated at one place `t` (or at several), and control point `k` gets the gradient
/// `weight_k(t) · ∇L(θ(t))`. The ends stay.
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
/// let curve = BezierCurve::between(&a, &b, 2)?;
/// let mut fitter = CurveFitterConfig::new()
///     .with_seed(1)
///     .init(&curve, SgdConfig::new().init(), 0.1)?;
/// let risk = Risk::new(&loss, &data).with_observer(|step| {
///     println!("{step}"); // step 1: 0.42
///     ControlFlow::Continue(())
/// });
/// fitter.run(&risk, 50)?;
/// let fitted = fitter.curve()?;
/// assert_eq!(fitter.num_steps(), 50);
/// # let _ = fitted.point(0.5)?;
/// # Ok::<(), burnscape::path::PathError>(())
/// ```
///
/// # Cost
///
/// A step takes one gradient for each place, forms the point of the curve, and lets the optimizer
/// move the free control points. Memory: the free control points with the optimizer's state and their
/// gradients, and one model.
///
/// # Defaults
///
/// Uniform places, one a step, and no weight decay, clipping or offset: Garipov et al. 2018, who let
/// the learning rate be constant for half of the training, fall linearly to a hundredth at 90 %, and
/// stay ([`GaripovLrScheduler`](super::GaripovLrScheduler)), with SGD's momentum and a weight decay of
/// 5e-4 on the point of the curve.
///
/// # References
///
/// Garipov, Izmailov, Podoprikhin, Vetrov, Wilson 2018, *Loss Surfaces, Mode Connectivity, and Fast
/// Ensembling of DNNs*, arXiv:1802.10026
#[derive(Config, Debug)]
pub struct CurveFitterConfig {
    /// Where on the curve a batch is evaluated.
    #[config(default = "TimeSampling::Uniform")]
    pub sampling: TimeSampling,
    /// Places a step, all on the same batch; the gradient is their mean.
    #[config(default = 1)]
    pub times_per_step: usize,
    /// `wd`: decay of the weights at the point of the curve, not of the control points.
    #[config(default = 0.0)]
    pub weight_decay: f64,
    /// The gradient at the point of the curve, decay included, is scaled down to this norm. Costs a
    /// host synchronization.
    pub max_gradient_norm: Option<f64>,
    /// Moves the inner points off the line before the first step, by this fraction of the distance
    /// of the ends; see [`ControlPoints::offset`](super::ControlPoints::offset).
    #[config(default = 0.0)]
    pub offset: f64,
    /// Seed of the places and of the offset.
    #[config(default = 0)]
    pub seed: u64,
    /// What the model does in the loss: batch statistics and dropout, or not.
    #[config(default = "Mode::Train")]
    pub mode: Mode,
}

impl CurveFitterConfig {
    /// Starts a fit. `optimizer` is any Burn optimizer or a
    /// [`Sam`](crate::optim::Sam), `scheduler` any Burn scheduler or a number.
    ///
    /// Parameter groups of either go by the paths of the free control points, `0.layer.weight` for
    /// the first of them.
    ///
    /// # Errors
    ///
    /// [`PathError::OutOfRange`], [`PathError::NothingToFit`], and those of
    /// [`ControlPoints::offset`](super::ControlPoints::offset).
    pub fn init<M, C, O>(
        &self,
        curve: &C,
        optimizer: O,
        scheduler: impl Into<ModuleLrScheduler>,
    ) -> Result<CurveFitter<M, C, O>, PathError>
    where
        M: Module,
        C: Curve<M> + Clone,
    {
        self.sampling.check()?;
        let times = self.times_per_step as f64;
        check_range("the number of places a step", times, "at least 1", |x| {
            x >= 1.0
        })?;
        let is_decay = |x| x >= 0.0;
        check_range(
            "the weight decay",
            self.weight_decay,
            "zero or more",
            is_decay,
        )?;
        if let Some(norm) = self.max_gradient_norm {
            check_range(
                "the largest gradient norm",
                norm,
                "a positive number",
                |x| x > 0.0,
            )?;
        }
        if curve.control_points().inner().is_empty() {
            return Err(PathError::NothingToFit);
        }
        let points = curve.control_points().offset(self.offset, self.seed)?;
        CurveFitter::new(
            self.clone(),
            curve.with_control_points(points),
            optimizer,
            scheduler.into(),
        )
    }
}
