use std::cell::Cell;

use burn::module::Module;
use burn::tensor::Tensor;
use burnscape_krylov::{LinearOperator, SelfAdjoint};
use burnscape_linearize::{LinearMap, OutputMetric, trace_outputs};

use super::lift::lifted;
use super::matrix::{Matrix, chosen, matrix_operator, positions};
use super::reverse::Reverse;
use super::sweep::{Setup, Traced, Weighting};
use super::{CurvatureConfig, CurvatureError};
use crate::loss::{Batch, DataSet, LossError, Mode, Objective, Reduction};
use crate::space::{ParamSpace, ParamVector, copy_for_gradients};

/// The empirical Fisher matrix `1/n Σᵢ gᵢ gᵢᵀ` of the gradients `gᵢ` of single examples, over a data
/// set (without `1/n` for an objective that is a sum).
///
/// It is the second moment of the gradient noise of one example, about zero; it is not the
/// [`Fisher`](super::Fisher) information, whose targets come from the model and not from the data.
/// The objective has to tell the losses of single examples: see
/// [`PerExample`](crate::loss::PerExample).
///
/// # Cost, errors
///
/// As the [`GaussNewton`](super::GaussNewton) matrix: no gradient of a single example is ever made,
/// a product is one forward derivative of the vector of losses and one backward pass. Besides,
/// [`LossError::NotPerExample`], [`LossError::WrongExampleLosses`].
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::curvature::EmpiricalFisher;
/// use burnscape::loss::{PerExample, Reduction};
/// use burnscape::space::ParamVector;
/// use burnscape::krylov::LinearOperator;
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let losses = |m: &Linear, x: Tensor<2>| m.forward(x).squeeze_dim::<1>(1);
/// let objective = PerExample::new(losses, Reduction::Mean);
/// let data = [Tensor::<2>::from_data([[1.0, 2.0], [0.0, 2.0]], &device)];
///
/// // The gradient of an example is its input.
/// let fisher = EmpiricalFisher::new(&model, &objective, &data)?;
/// let v = ParamVector::from_host(fisher.space(), &[1.0, 0.0])?;
/// assert_eq!(fisher.matvec(&v)?.to_host()?, [0.5, 1.0]);
/// # Ok::<(), burnscape::curvature::CurvatureError>(())
/// ```
///
/// # Reference
///
/// Kunstner, Balles, Hennig, *Limitations of the empirical Fisher approximation*, NeurIPS 2019.
pub struct EmpiricalFisher<'a>(Matrix<'a>);

matrix_operator!(EmpiricalFisher);

impl<'a> EmpiricalFisher<'a> {
    /// The matrix with the settings of [`CurvatureConfig::new`].
    ///
    /// # Errors
    ///
    /// As [`EmpiricalFisher`] states.
    pub fn new<M, B, O, D>(model: &M, objective: &O, data: &'a D) -> Result<Self, CurvatureError>
    where
        M: Module,
        B: Batch + 'a,
        O: Objective<M, B>,
        D: DataSet<B> + ?Sized,
    {
        CurvatureConfig::new().empirical_fisher(model, objective, data)
    }
}

impl<'a> CurvatureConfig<'a> {
    /// The [`EmpiricalFisher`] matrix of a loss over a data set.
    ///
    /// # Errors
    ///
    /// As [`EmpiricalFisher`] states.
    pub fn empirical_fisher<M, B, O, D>(
        mut self,
        model: &M,
        objective: &O,
        data: &'a D,
    ) -> Result<EmpiricalFisher<'a>, CurvatureError>
    where
        M: Module,
        B: Batch + 'a,
        O: Objective<M, B>,
        D: DataSet<B> + ?Sized,
    {
        let space = self.space(model)?;
        let settings = space.device().settings();
        let checks = self.checks;
        let copy = copy_for_gradients(model, self.mode == Mode::Train);
        let reduction = objective.reduction();
        let trace = |batch: &B, examples: usize| {
            let refused = Cell::new(false);
            let traced = trace_outputs(
                copy.clone(),
                settings,
                |lifter| lifted(batch.clone(), lifter),
                |model, batch| {
                    let losses = objective.example_losses(model, batch.clone());
                    losses.unwrap_or_else(|| {
                        refused.set(true);
                        Tensor::zeros([1], &objective.loss(model, batch.clone()).device())
                    })
                },
            );
            if refused.get() {
                return Err(LossError::NotPerExample.into());
            }
            let traced = traced?;
            if traced.output_shape() != [examples] {
                return Err(LossError::WrongExampleLosses {
                    expected: examples,
                    found: traced.output_shape().iter().product(),
                }
                .into());
            }
            let scale = match reduction {
                Reduction::Mean => 1.0 / examples as f64,
                Reduction::Sum => 1.0,
            };
            let wrt = chosen(&space, &traced.parameters)?;
            let metric = OutputMetric::Identity { scale };
            let reverse = match checks {
                true => Some(Reverse::Outputs(Box::new([
                    LinearMap::jacobian(&traced, &wrt, settings)?,
                    LinearMap::jacobian_transposed(&traced, &wrt, settings)?,
                ]))),
                false => None,
            };
            Ok(Traced {
                reverse,
                positions: positions(&wrt, &traced.parameters),
                maps: vec![LinearMap::pulled_back(&traced, &wrt, metric, settings)?],
                bindings: traced.bindings,
                noise: None,
            })
        };
        let setup = Setup {
            space: &space,
            weighting: Weighting::Loss(reduction),
            noise_seed: 0,
            trace: &trace,
        };
        Ok(EmpiricalFisher(Matrix::new(&mut self, &setup, data)?))
    }
}
