use burn::module::Module;
use burnscape_krylov::{LinearOperator, SelfAdjoint};
use burnscape_linearize::LinearMap;

use super::CurvatureError;
use super::kept::KeptShard;
use super::matrix::{Matrix, matrix_operator};
use super::site::Site;
use super::symmetric::symmetric;
use crate::loss::{Risk, RiskBatch, Split};
use crate::space::{ParamSpace, ParamVector};

/// The generalized Gauss-Newton matrix `Jᵀ (∂²ℓ/∂z²) J` of a loss `ℓ(z(w))` over a data set.
///
/// `J` is the Jacobian of the model's outputs `z`, and `∂²ℓ/∂z²` the exact Hessian of the criterion, computed by
/// differentiating its gradient. It includes class weights, label smoothing, masks and reductions. The matrix is
/// the [`Hessian`](super::Hessian) without the curvature of the model. It is positive semi-definite for criteria
/// that are convex in the outputs. Batches are weighted as in the loss.
///
/// # Cost
///
/// That of the [`Hessian`](super::Hessian); a product is one forward derivative and one backward pass.
///
/// # Errors
///
/// Those of the [`Hessian`](super::Hessian).
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
/// let data = [Tensor::<2>::from_data([[1.0, 2.0]], &device)];
/// let risk = Risk::split(
///     |m: &Linear, x: &Tensor<2>| m.forward(x.clone()),
///     |z: Tensor<2>, _: Tensor<2>| z.powi_scalar(2).mean(),
///     &data,
/// );
/// let matrix = risk.gauss_newton(&model)?;
/// let v = ParamVector::from_host(matrix.space(), &[1.0, 0.0])?;
/// assert_eq!(matrix.matvec(&v)?.to_host()?, [2.0, 4.0]);
/// # Ok::<(), burnscape::curvature::CurvatureError>(())
/// ```
///
/// # Reference
///
/// Schraudolph, *Fast curvature matrix-vector products for second-order gradient descent*, Neural
/// Computation 14 (2002).
pub struct GaussNewton<'a>(Matrix<'a>);

matrix_operator!(GaussNewton);

impl<'a> GaussNewton<'a> {
    /// The loss over the data at the model's parameters.
    pub fn loss(&self) -> f64 {
        self.0.batches.totals().loss
    }
}

impl<'a, M: Module> Risk<'a, M, Split> {
    /// The [`GaussNewton`] matrix at a model.
    ///
    /// # Errors
    ///
    /// Those of [`GaussNewton`].
    pub fn gauss_newton(&self, model: &M) -> Result<GaussNewton<'a>, CurvatureError>
    where
        M: 'static,
    {
        let batches = |site: &Site<'_, 'a, M>, kept: Option<KeptShard>| {
            let trace = |batch: &dyn RiskBatch<M>, _: usize| {
                let trace = batch.trace_split(site.model(), site.settings, site.reduction)?;
                site.traced(trace, |trace, wrt| {
                    LinearMap::gauss_newton(trace, wrt, site.settings)
                })
            };
            symmetric(site, &site.setup(&trace), kept)
        };
        Matrix::of(self, model, batches).map(GaussNewton)
    }
}
