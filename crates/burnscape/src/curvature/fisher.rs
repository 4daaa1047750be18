use burn::module::Module;
use burnscape_krylov::{LinearOperator, SelfAdjoint};
use burnscape_linearize::{Likelihood, LinearMap, OutputMetric};

use super::batch_points::{Setup, Traced, Weighting};
use super::matrix::{Matrix, matrix_operator};
use super::site::{Site, positions};
use super::{CurvatureConfig, CurvatureError};
use crate::loss::{Reduction, Risk, RiskBatch, Split};
use crate::space::{ParamSpace, ParamVector};

/// The Fisher information matrix of a model's outputs over a data set,
/// `F = 1/n Σᵢ Jᵢᵀ E[rᵢ rᵢᵀ] Jᵢ` with the scores `rᵢ = ∂/∂z −log p(y | zᵢ)` of targets drawn from the
/// model itself, `y ~ p(· | zᵢ)`.
///
/// The expectation is taken in closed form, or by [drawing targets](FisherSampling). The targets of
/// the data do not matter: see [`EmpiricalFisher`](super::EmpiricalFisher) for the matrix that they
/// make. A target is a row along the last axis for [`Likelihood::Categorical`] (a token, say), an
/// example for the others, and `n` is their number in a batch; batches count by their
/// [weight](crate::loss::Batch::weight) as for the loss, and a risk that is a sum leaves the `1/n` out. Padding
/// is a target like any other: leave it out of the outputs.
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
/// use burnscape::loss::{Likelihood, Risk};
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
/// let fisher = risk.fisher(&model, Likelihood::Gaussian)?;
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

impl CurvatureConfig {
    /// The exact [`Fisher`] matrix of a model's outputs over the data of a risk. Of the risk, outputs and
    /// reduction are used.
    ///
    /// # Errors
    ///
    /// As [`Fisher`] states.
    pub fn fisher<'a, M: Module>(
        &self,
        risk: &Risk<'a, M, Split>,
        model: &M,
        likelihood: Likelihood,
    ) -> Result<Fisher<'a>, CurvatureError> {
        let metric = |scale| OutputMetric::Fisher { likelihood, scale };
        Fisher::at(&Site::new(self, risk, model)?, likelihood, 0, &metric)
    }

    /// The [`Fisher`] matrix with targets drawn from the model.
    ///
    /// # Errors
    ///
    /// As [`Fisher`] states, and [`CurvatureError::NoSamples`].
    pub fn sampled_fisher<'a, M: Module>(
        &self,
        risk: &Risk<'a, M, Split>,
        model: &M,
        likelihood: Likelihood,
        sampling: FisherSampling,
    ) -> Result<Fisher<'a>, CurvatureError> {
        let FisherSampling { samples, seed } = sampling;
        if samples == 0 {
            return Err(CurvatureError::NoSamples);
        }
        let metric = |scale| OutputMetric::SampledFisher {
            likelihood,
            scale,
            samples,
        };
        Fisher::at(&Site::new(self, risk, model)?, likelihood, seed, &metric)
    }
}

impl<'a, M: Module> Risk<'a, M, Split> {
    /// The exact [`Fisher`] matrix at a model, with the settings of [`CurvatureConfig::new`].
    ///
    /// # Errors
    ///
    /// As [`Fisher`] states.
    pub fn fisher(&self, model: &M, likelihood: Likelihood) -> Result<Fisher<'a>, CurvatureError> {
        CurvatureConfig::new().fisher(self, model, likelihood)
    }
}

impl<'a> Fisher<'a> {
    fn at<M: Module>(
        site: &Site<'_, 'a, M>,
        likelihood: Likelihood,
        noise_seed: u64,
        metric: &dyn Fn(f64) -> OutputMetric,
    ) -> Result<Self, CurvatureError> {
        let trace = |batch: &dyn RiskBatch<M>, _: usize| {
            let trace = batch.trace_outputs(site.model(), site.settings)?;
            let scale = match site.reduction {
                Reduction::Mean => 1.0 / likelihood.num_targets(trace.output_shape()) as f64,
                Reduction::Sum => 1.0,
            };
            let metric = metric(scale);
            let wrt = site.chosen(&trace.parameters)?;
            Ok(Traced {
                reverse: site.reverse_of_outputs(&trace, &wrt)?,
                positions: positions(&wrt, &trace.parameters),
                maps: vec![LinearMap::pulled_back(&trace, &wrt, metric, site.settings)?],
                noise: metric
                    .noise(trace.output_shape())
                    .map(|noise| (noise, trace.output_dtype())),
                bindings: trace.bindings,
            })
        };
        let setup = Setup {
            weighting: Weighting::Loss(site.reduction),
            tells_outputs: true,
            noise_seed,
            trace: &trace,
        };
        Ok(Self(Matrix::new(site, &setup)?))
    }
}
