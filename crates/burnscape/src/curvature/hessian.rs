use burn::module::Module;
use burnscape_krylov::{LinearOperator, SelfAdjoint};
use burnscape_linearize::LinearMap;

use super::batch_points::{Setup, Traced, Weighting};
use super::matrix::{Matrix, matrix_operator};
use super::reverse::Reverse;
use super::site::{Site, positions};
use super::{CurvatureConfig, CurvatureError};
use crate::loss::{Batch, Draws, Mode, Objective, Risk, RiskBatch, of_one_batch};
use crate::space::{ParamSpace, ParamVector};

/// The Hessian `∂²L/∂w²` of a loss over a data set, exactly.
///
/// `L(w) = Σ_b n_b L_b(w) / Σ_b n_b` for means and `Σ_b L_b(w)` for sums, as the
/// [`Risk`](crate::loss::Risk) has it, so that any partition of the data into batches gives
/// the same operator. Products are the derivative of Burn's own gradient along the vector, to
/// rounding: forward over reverse, by transforming the recorded gradient, with no difference
/// quotient. At a kink (ReLU at zero, a tie in a maximum) the side is that of Burn's backward pass.
///
/// # Cost
///
/// Making it: one trace for all batches of the same shapes, one gradient a batch, and, unless
/// [checks](CurvatureConfig::with_checks) are off, a second reading of the data, two products, and a
/// gradient with a forward derivative at displaced weights.
/// A product runs what is linear in the vector, over the data; see
/// [`with_residual_budget`](CurvatureConfig::with_residual_budget).
///
/// # Errors
///
/// Making it: [`CurvatureError::Linearize`] for a loss that cannot be traced (it reads or branches on
/// a value, uses a tensor of another device, meets an operation without a rule),
/// [`CurvatureError::Loss`] for data that are empty, ragged, not finite or different when read again,
/// [`CurvatureError::Space`] for parameters that have no flat vector,
/// [`CurvatureError::Detached`], [`CurvatureError::NotSymmetric`], [`CurvatureError::NonFiniteGradient`],
/// [`CurvatureError::NonFiniteProduct`],
/// [`CurvatureError::OutOfRange`] for a block size of zero.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::space::ParamVector;
/// use burnscape::krylov::LinearOperator;
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).mean();
/// let data = [Tensor::<2>::from_data([[1.0, 2.0]], &device)];
///
/// // L = (x · w)², so that H = 2 x xᵀ.
/// let hessian = Risk::new(&loss, &data).hessian(&model)?;
/// let v = ParamVector::from_host(hessian.space(), &[1.0, 0.0])?;
/// assert_eq!(hessian.matvec(&v)?.to_host()?, [2.0, 4.0]);
/// # Ok::<(), burnscape::curvature::CurvatureError>(())
/// ```
///
/// # Reference
///
/// Pearlmutter, *Fast exact multiplication by the Hessian*, Neural Computation 6 (1994).
pub struct Hessian<'a>(Matrix<'a>);

matrix_operator!(Hessian);

impl<'a> Hessian<'a> {
    pub(super) fn at<M: Module>(site: &Site<'_, 'a, M>) -> Result<Self, CurvatureError> {
        let trace = |batch: &dyn RiskBatch<M>, _: usize| {
            let trace = batch.trace_gradient(site.model(), site.settings, site.reduction)?;
            let wrt = site.chosen(&trace.parameters)?;
            Ok(Traced {
                positions: positions(&wrt, &trace.parameters),
                reverse: match site.config.checks {
                    true => Some(Reverse::Gradient(Box::new(LinearMap::slope(
                        &trace,
                        &wrt,
                        site.settings,
                    )?))),
                    false => None,
                },
                maps: vec![LinearMap::hessian(&trace, &wrt, site.settings)?],
                bindings: trace.bindings,
                noise: None,
            })
        };
        let setup = Setup {
            weighting: Weighting::Loss(site.reduction),
            tells_outputs: false,
            noise_seed: 0,
            trace: &trace,
        };
        Ok(Self(Matrix::new(site, &setup)?))
    }

    /// The Hessian of a loss on one batch, in the model's own mode or another, without checks: everything
    /// that a product reads is kept.
    pub(crate) fn of_batch<M: Module, B: Batch>(
        model: &M,
        objective: &impl Objective<M, B>,
        batch: &B,
        how: (Mode, Draws),
    ) -> Result<Self, CurvatureError> {
        let source = of_one_batch(objective, batch);
        Self::at(&Site::of_kept(&source, objective.reduction(), how, model)?)
    }

    /// The loss over the data at the model's parameters.
    pub fn loss(&self) -> f64 {
        self.0.batches.totals.loss
    }

    /// The gradient of the loss over the data, which comes with the Hessian.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::Space`].
    pub fn gradient(&self) -> Result<ParamVector, CurvatureError> {
        let values = self.0.batches.totals.gradient.clone();
        Ok(match values {
            Some(values) => ParamVector::from_values(&self.0.space, values)?,
            None => ParamVector::zeros(&self.0.space)?,
        })
    }
}

impl CurvatureConfig {
    /// The [`Hessian`] of a risk at a model.
    ///
    /// # Errors
    ///
    /// As [`Hessian`] states.
    pub fn hessian<'a, M: Module, K>(
        &self,
        risk: &Risk<'a, M, K>,
        model: &M,
    ) -> Result<Hessian<'a>, CurvatureError> {
        Hessian::at(&Site::new(self, risk, model)?)
    }
}

impl<'a, M: Module, K> Risk<'a, M, K> {
    /// The [`Hessian`] at a model, with the settings of [`CurvatureConfig::new`].
    ///
    /// # Errors
    ///
    /// As [`Hessian`] states.
    pub fn hessian(&self, model: &M) -> Result<Hessian<'a>, CurvatureError> {
        CurvatureConfig::new().hessian(self, model)
    }
}
