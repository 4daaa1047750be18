use burn::module::Module;
use burnscape_krylov::{LinearOperator, SelfAdjoint};
use burnscape_linearize::{Likelihood, LinearMap, OutputMetric, trace_outputs};

use super::lift::lifted;
use super::matrix::{Matrix, chosen, matrix_operator, positions};
use super::reverse::Reverse;
use super::sweep::{Setup, Traced, Weighting};
use super::{CurvatureConfig, CurvatureError};
use crate::loss::{Batch, DataSet, Mode, Reduction, SplitObjective};
use crate::space::{ParamSpace, ParamVector, copy_for_gradients};

/// The Fisher information matrix of a model's outputs over a data set,
/// `F = 1/n Σᵢ Jᵢᵀ E[rᵢ rᵢᵀ] Jᵢ` with the scores `rᵢ = ∂/∂z −log p(y | zᵢ)` of targets drawn from the
/// model itself, `y ~ p(· | zᵢ)`.
///
/// The expectation is taken in closed form, or by [drawing targets](FisherSampling). The targets of
/// the data do not matter: see [`EmpiricalFisher`](super::EmpiricalFisher) for the matrix that they
/// make. A target is a row along the last axis for [`Likelihood::Categorical`] (a token, say), an
/// example for the others, and `n` is their number in a batch; batches are weighted as the loss is,
/// and an objective that is a sum leaves the `1/n` out.
///
/// For mean cross-entropy with plain targets the exact matrix is the
/// [`GaussNewton`](super::GaussNewton) matrix.
///
/// # Cost, errors
///
/// As the [`GaussNewton`](super::GaussNewton) matrix. Sampling needs `samples` scores for each output
/// in memory, and no more products.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::curvature::Fisher;
/// use burnscape::loss::{Likelihood, Split};
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
/// let fisher = Fisher::new(&model, &split, &data, Likelihood::Gaussian)?;
/// let v = ParamVector::from_host(fisher.space(), &[1.0, 0.0])?;
/// assert_eq!(fisher.matvec(&v)?.to_host()?, [1.0, 2.0]);
/// # Ok::<(), burnscape::curvature::CurvatureError>(())
/// ```
///
/// # Reference
///
/// Martens, *New insights and perspectives on the natural gradient method*, JMLR 21 (2020).
pub struct Fisher<'a>(Matrix<'a>);

matrix_operator!(Fisher);

/// Monte-Carlo estimation of a [`Fisher`] matrix, unbiased.
///
/// Targets are drawn on the host, once, when the matrix is made; the same seed gives the same matrix
/// on every device, up to rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FisherSampling {
    /// Targets drawn for each output.
    pub samples: usize,
    /// Seed of the draws.
    pub seed: u64,
}

impl<'a> Fisher<'a> {
    /// The exact matrix with the settings of [`CurvatureConfig::new`].
    ///
    /// # Errors
    ///
    /// As [`Fisher`] states.
    pub fn new<M, B, O, D, const R: usize>(
        model: &M,
        objective: &O,
        data: &'a D,
        likelihood: Likelihood,
    ) -> Result<Self, CurvatureError>
    where
        M: Module,
        B: Batch + 'a,
        O: SplitObjective<M, B, R>,
        D: DataSet<B> + ?Sized,
    {
        CurvatureConfig::new().fisher(model, objective, data, likelihood)
    }
}

impl<'a> CurvatureConfig<'a> {
    /// The exact [`Fisher`] matrix of a model's outputs over a data set. Of the objective, the
    /// outputs and the reduction are used.
    ///
    /// # Errors
    ///
    /// As [`Fisher`] states.
    pub fn fisher<M, B, O, D, const R: usize>(
        self,
        model: &M,
        objective: &O,
        data: &'a D,
        likelihood: Likelihood,
    ) -> Result<Fisher<'a>, CurvatureError>
    where
        M: Module,
        B: Batch + 'a,
        O: SplitObjective<M, B, R>,
        D: DataSet<B> + ?Sized,
    {
        let metric = |scale| OutputMetric::Fisher { likelihood, scale };
        self.pulled_back(model, objective, data, likelihood, 0, &metric)
    }

    /// The [`Fisher`] matrix with targets drawn from the model.
    ///
    /// # Errors
    ///
    /// As [`Fisher`] states, and [`CurvatureError::NoSamples`].
    pub fn sampled_fisher<M, B, O, D, const R: usize>(
        self,
        model: &M,
        objective: &O,
        data: &'a D,
        likelihood: Likelihood,
        sampling: FisherSampling,
    ) -> Result<Fisher<'a>, CurvatureError>
    where
        M: Module,
        B: Batch + 'a,
        O: SplitObjective<M, B, R>,
        D: DataSet<B> + ?Sized,
    {
        let FisherSampling { samples, seed } = sampling;
        if samples == 0 {
            return Err(CurvatureError::NoSamples);
        }
        let metric = |scale| OutputMetric::SampledFisher {
            likelihood,
            scale,
            samples,
        };
        self.pulled_back(model, objective, data, likelihood, seed, &metric)
    }

    fn pulled_back<M, B, O, D, const R: usize>(
        mut self,
        model: &M,
        objective: &O,
        data: &'a D,
        likelihood: Likelihood,
        noise_seed: u64,
        metric: &dyn Fn(f64) -> OutputMetric,
    ) -> Result<Fisher<'a>, CurvatureError>
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
        let reduction = objective.reduction();
        let trace = |batch: &B, _: usize| {
            let trace = trace_outputs(
                copy.clone(),
                settings,
                |lifter| lifted(batch.clone(), lifter),
                |model, batch| objective.outputs(model, batch),
            )?;
            let scale = match reduction {
                Reduction::Mean => 1.0 / likelihood.num_targets(trace.output_shape()) as f64,
                Reduction::Sum => 1.0,
            };
            let metric = metric(scale);
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
                maps: vec![LinearMap::pulled_back(&trace, &wrt, metric, settings)?],
                noise: metric
                    .noise(trace.output_shape())
                    .map(|noise| (noise, trace.output_dtype())),
                bindings: trace.bindings,
            })
        };
        let setup = Setup {
            space: &space,
            weighting: Weighting::Loss(reduction),
            noise_seed,
            trace: &trace,
        };
        Ok(Fisher(Matrix::new(&mut self, &setup, data)?))
    }
}
