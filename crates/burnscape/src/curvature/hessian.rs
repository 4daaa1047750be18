use burn::module::Module;
use burnscape_krylov::{LinearOperator, SelfAdjoint};
use burnscape_linearize::{LinearMap, trace_gradient};

use super::lift::lifted;
use super::matrix::{Matrix, chosen, matrix_operator, positions};
use super::reverse::Reverse;
use super::sweep::{Setup, Traced, Weighting};
use super::{CurvatureConfig, CurvatureError};
use crate::loss::{Batch, DataSet, Mode, Objective};
use crate::space::{ParamSpace, ParamVector, copy_for_gradients};

/// The Hessian `∂²L/∂w²` of a loss over a data set, exactly.
///
/// `L(w) = Σ_b n_b L_b(w) / Σ_b n_b` for means and `Σ_b L_b(w)` for sums, as the
/// [`Evaluator`](crate::loss::Evaluator) has it, so that any partition of the data into batches gives
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
/// [`CurvatureError::Detached`], [`CurvatureError::NotSymmetric`], [`CurvatureError::NonFiniteProduct`],
/// [`CurvatureError::OutOfRange`] for a block size of zero.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::curvature::Hessian;
/// use burnscape::space::ParamVector;
/// use burnscape::krylov::LinearOperator;
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).mean();
/// let data = [Tensor::<2>::from_data([[1.0, 2.0]], &device)];
///
/// // L = (x · w)², so that H = 2 x xᵀ.
/// let hessian = Hessian::new(&model, &loss, &data)?;
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
    /// The Hessian with the settings of [`CurvatureConfig::new`].
    ///
    /// # Errors
    ///
    /// As [`Hessian`] states.
    pub fn new<M, B, O, D>(model: &M, objective: &O, data: &'a D) -> Result<Self, CurvatureError>
    where
        M: Module,
        B: Batch + 'a,
        O: Objective<M, B>,
        D: DataSet<B> + ?Sized,
    {
        CurvatureConfig::new().hessian(model, objective, data)
    }

    /// The loss over the data at the model's parameters.
    pub fn loss(&self) -> f64 {
        self.0.sweep.totals.loss
    }

    /// The gradient of the loss over the data, which comes with the Hessian.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::Space`].
    pub fn gradient(&self) -> Result<ParamVector, CurvatureError> {
        let values = self.0.sweep.totals.gradient.clone();
        Ok(match values {
            Some(values) => ParamVector::from_values(&self.0.space, values)?,
            None => ParamVector::zeros(&self.0.space)?,
        })
    }
}

impl<'a> CurvatureConfig<'a> {
    /// The [`Hessian`] of a loss over a data set.
    ///
    /// # Errors
    ///
    /// As [`Hessian`] states.
    pub fn hessian<M, B, O, D>(
        mut self,
        model: &M,
        objective: &O,
        data: &'a D,
    ) -> Result<Hessian<'a>, CurvatureError>
    where
        M: Module,
        B: Batch + 'a,
        O: Objective<M, B>,
        D: DataSet<B> + ?Sized,
    {
        let space = self.space(model)?;
        let settings = space.device().settings();
        let copy = copy_for_gradients(model, self.mode == Mode::Train);
        let checks = self.checks;
        let trace = |batch: &B, _: usize| {
            let trace = trace_gradient(
                copy.clone(),
                settings,
                |lifter| lifted(batch.clone(), lifter),
                |model, batch| objective.loss(model, batch),
            )?;
            let wrt = chosen(&space, &trace.parameters)?;
            Ok(Traced {
                positions: positions(&wrt, &trace.parameters),
                reverse: match checks {
                    true => Some(Reverse::Gradient(Box::new(LinearMap::slope(
                        &trace, &wrt, settings,
                    )?))),
                    false => None,
                },
                maps: vec![LinearMap::hessian(&trace, &wrt, settings)?],
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
        Ok(Hessian(Matrix::new(&mut self, &setup, data)?))
    }
}
