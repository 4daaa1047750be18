use burn::module::Module;
use burnscape_krylov::{LinearOperator, SelfAdjoint};
use burnscape_linearize::{LinearMap, trace_split};

use super::lift::lifted;
use super::matrix::{Matrix, chosen, matrix_operator, positions};
use super::reverse::Reverse;
use super::sweep::{Setup, Traced, Weighting};
use super::{CurvatureConfig, CurvatureError};
use crate::loss::{Batch, DataSet, Mode, SplitObjective};
use crate::space::{ParamSpace, ParamVector, copy_for_gradients};

/// The generalized Gauss-Newton matrix `Jᵀ (∂²ℓ/∂z²) J` of a loss `ℓ(z(w))` over a data set.
///
/// `J` is the Jacobian of the model's outputs `z`, and `∂²ℓ/∂z²` the exact Hessian of the criterion,
/// found by differentiating the criterion's own gradient: class weights, label smoothing, masks and
/// reductions are in it. It is what the [`Hessian`](super::Hessian) is without the curvature of the
/// model, positive semi-definite for criteria that are convex in the outputs, and weighted over
/// batches as the loss is.
///
/// # Cost
///
/// As the [`Hessian`](super::Hessian); a product is one forward derivative and one backward pass.
///
/// # Errors
///
/// As the [`Hessian`](super::Hessian).
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::curvature::GaussNewton;
/// use burnscape::loss::Split;
/// use burnscape::space::ParamVector;
/// use burnscape::krylov::LinearOperator;
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let split = Split::new(
///     |m: &Linear, x: &Tensor<2>| m.forward(x.clone()),
///     |z: Tensor<2>, _: Tensor<2>| z.powi_scalar(2).mean(),
/// );
/// let data = [Tensor::<2>::from_data([[1.0, 2.0]], &device)];
/// let matrix = GaussNewton::new(&model, &split, &data)?;
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
    /// The matrix with the settings of [`CurvatureConfig::new`].
    ///
    /// # Errors
    ///
    /// As [`GaussNewton`] states.
    pub fn new<M, B, O, D, const R: usize>(
        model: &M,
        objective: &O,
        data: &'a D,
    ) -> Result<Self, CurvatureError>
    where
        M: Module,
        B: Batch + 'a,
        O: SplitObjective<M, B, R>,
        D: DataSet<B> + ?Sized,
    {
        CurvatureConfig::new().gauss_newton(model, objective, data)
    }

    /// The loss over the data at the model's parameters.
    pub fn loss(&self) -> f64 {
        self.0.sweep.totals.loss
    }
}

impl<'a> CurvatureConfig<'a> {
    /// The [`GaussNewton`] matrix of a loss over a data set.
    ///
    /// # Errors
    ///
    /// As [`GaussNewton`] states.
    pub fn gauss_newton<M, B, O, D, const R: usize>(
        mut self,
        model: &M,
        objective: &O,
        data: &'a D,
    ) -> Result<GaussNewton<'a>, CurvatureError>
    where
        M: Module,
        B: Batch + 'a,
        O: SplitObjective<M, B, R>,
        D: DataSet<B> + ?Sized,
    {
        let space = self.space(model)?;
        let settings = space.device().settings();
        let checks = self.checks;
        let copy = copy_for_gradients(model, self.mode == Mode::Train);
        let trace = |batch: &B, _: usize| {
            let trace = trace_split(
                copy.clone(),
                settings,
                |lifter| lifted(batch.clone(), lifter),
                |model, batch| objective.outputs(model, batch),
                |outputs, batch| objective.criterion(outputs, batch),
            )?;
            let wrt = chosen(&space, &trace.parameters)?;
            let reverse = match checks {
                true => Some(Reverse::Outputs(Box::new([
                    LinearMap::jacobian(&trace, &wrt, settings)?,
                    LinearMap::jacobian_transposed(&trace, &wrt, settings)?,
                ]))),
                false => None,
            };
            Ok(Traced {
                reverse,
                positions: positions(&wrt, &trace.parameters),
                maps: vec![LinearMap::gauss_newton(&trace, &wrt, settings)?],
                bindings: trace.bindings,
                noise: None,
            })
        };
        let setup = Setup {
            space: &space,
            weighting: Weighting::Loss(objective.reduction()),
            noise_seed: 0,
            trace: &trace,
        };
        Ok(GaussNewton(Matrix::new(&mut self, &setup, data)?))
    }
}
