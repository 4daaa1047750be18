use burn::module::Module;
use burnscape_krylov::{LinearOperator, SelfAdjoint};
use burnscape_linearize::LinearMap;

use super::CurvatureError;
use super::batch_points::Traced;
use super::batch_sum::BatchSum;
use super::kept::{Kept, KeptShard};
use super::matrix::{Matrix, matrix_operator};
use super::reverse::Reverse;
use super::site::{Site, positions};
use super::symmetric::symmetric;
use crate::loss::{Batch, Draws, Mode, Objective, Risk, RiskBatch, of_one_batch};
use crate::space::{ParamSpace, ParamVector};

/// The exact Hessian `∂²L/∂w²` of a loss over a data set.
///
/// `L(w) = Σ_b n_b L_b(w) / Σ_b n_b` for means and `Σ_b L_b(w)` for sums, as in [`Risk`](crate::loss::Risk), so
/// every partition of the data into batches gives the same operator. A product is the derivative of Burn's gradient
/// along the vector, exact up to rounding: forward over reverse, by transforming the recorded gradient, without
/// difference quotients. At a kink (ReLU at zero, a tie in a maximum) it uses the side that Burn's backward pass
/// uses.
///
/// # Cost
///
/// Construction: one trace for all batches of the same shapes and one gradient per batch. Unless
/// [checks](Risk::with_checks) are off, also a second reading of the data, two products, and a gradient
/// with a forward derivative at displaced weights. A product runs the part of the derivative that is linear in the
/// vector, over all data. Its memory: [`Risk::with_memory_budget`](Risk::with_memory_budget).
///
/// # Errors
///
/// Construction: [`CurvatureError::Linearize`] for a loss that cannot be traced (it reads or branches on a value,
/// uses a tensor of another device, or runs an operation without a rule), [`CurvatureError::Loss`] for data that is
/// empty, ragged, not finite or different when read again, [`CurvatureError::Space`] for parameters without a flat
/// vector, [`CurvatureError::Detached`], [`CurvatureError::NotSymmetric`], [`CurvatureError::NonFiniteGradient`],
/// [`CurvatureError::NonFiniteProduct`], [`CurvatureError::OutOfRange`] for a block size of zero,
/// [`CurvatureError::MemoryBudget`].
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
pub struct Hessian<'a>(pub(super) Matrix<'a>);

matrix_operator!(Hessian);

impl<'a> Hessian<'a> {
    fn batches<M: Module>(
        site: &Site<'_, 'a, M>,
        kept: Option<KeptShard>,
    ) -> Result<BatchSum<'a>, CurvatureError> {
        let trace = |batch: &dyn RiskBatch<M>, _: usize| traced(site, batch);
        symmetric(site, &site.setup(&trace), kept)
    }

    /// The Hessian at a model, with what another Hessian has kept if it fits. It does not move.
    pub(crate) fn with_kept<M: Module, K>(
        risk: &Risk<'a, M, K>,
        model: &M,
        kept: Option<Kept>,
    ) -> Result<Self, CurvatureError> {
        Matrix::with_kept(risk, model, kept, Self::batches).map(Self)
    }

    /// What can be used at other weights. Residuals are released.
    pub(crate) fn into_kept(self) -> Kept {
        self.0.batches.into_kept()
    }

    /// The Hessian of a loss on one batch, without checks. All residuals are stored.
    pub(crate) fn of_batch<M: Module, B: Batch>(
        model: &M,
        objective: &impl Objective<M, B>,
        batch: &B,
        mode: Mode,
        draws: Draws,
    ) -> Result<Self, CurvatureError> {
        let source = of_one_batch(objective, batch);
        let reduction = objective.reduction();
        let site = Site::of_batch(&source, reduction, mode, draws, model)?;
        let batches = Self::batches(&site, None)?;
        Ok(Self(Matrix::alone(&site, batches)))
    }

    /// The loss over the data at the model's parameters.
    pub fn loss(&self) -> f64 {
        self.0.batches.totals().loss
    }

    /// The gradient of the loss over the data. It was computed with the Hessian.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::Space`].
    pub fn gradient(&self) -> Result<ParamVector, CurvatureError> {
        let values = self.0.batches.totals().gradient.clone();
        Ok(match values {
            Some(values) => ParamVector::from_values(&self.0.space, values)?,
            None => ParamVector::zeros(&self.0.space)?,
        })
    }
}

/// The map of the loss of a batch, with its gradient.
pub(super) fn traced<M: Module>(
    site: &Site<'_, '_, M>,
    batch: &dyn RiskBatch<M>,
) -> Result<Traced, CurvatureError> {
    let trace = batch.trace_gradient(site.model(), site.settings, site.reduction)?;
    let wrt = site.chosen(&trace.parameters)?;
    let slope = || LinearMap::slope(&trace, &wrt, site.settings);
    let slope = site.operators.checks.then(slope).transpose()?;
    Ok(Traced {
        positions: positions(&wrt, &trace.parameters),
        reverse: slope.map(|slope| Reverse::Gradient(Box::new(slope))),
        maps: vec![LinearMap::hessian(&trace, &wrt, site.settings)?],
        bindings: trace.bindings,
        noise: None,
    })
}

impl<'a, M: Module, K> Risk<'a, M, K> {
    /// The [`Hessian`] at a model.
    ///
    /// # Errors
    ///
    /// Those of [`Hessian`].
    pub fn hessian(&self, model: &M) -> Result<Hessian<'a>, CurvatureError>
    where
        M: 'static,
    {
        Matrix::of(self, model, Hessian::batches).map(Hessian)
    }
}
