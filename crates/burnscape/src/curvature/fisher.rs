use burn::module::Module;
use burnscape_krylov::{LinearOperator, SelfAdjoint};
use burnscape_linearize::{Likelihood, LinearMap, OutputMetric};

use super::CurvatureError;
use super::batch_points::{Setup, Traced};
use super::batch_sum::BatchSum;
use super::kept::KeptShard;
use super::matrix::{Matrix, matrix_operator};
use super::site::Site;
use super::stale::FirstValue;
use super::symmetric::symmetric;
use crate::loss::{Reduction, Risk, RiskBatch, Split};
use crate::space::{ParamSpace, ParamVector};

/// The Fisher information matrix of a model's outputs over a data set, `F = 1/n Σᵢ Jᵢᵀ E[rᵢ rᵢᵀ] Jᵢ`, with the scores
/// `rᵢ = ∂/∂z −log p(y | zᵢ)` of targets drawn from the model, `y ~ p(· | zᵢ)`.
///
/// The expectation is computed in closed form or by [sampling targets](FisherSampling). It does not use the targets
/// of the data; the [`EmpiricalFisher`](super::EmpiricalFisher) matrix does. For [`Likelihood::Categorical`], a
/// target is a row along the last axis (a token, for instance); for other likelihoods it is an example. `n` is the
/// number of targets in a batch. Batches are weighted by their [weight](crate::loss::Batch::weight) as in the loss,
/// and a sum omits `1/n`. Padding counts as a target: remove it from the outputs.
///
/// For mean cross-entropy with plain targets the exact matrix is the
/// [`GaussNewton`](super::GaussNewton) matrix.
///
/// # Cost, errors
///
/// Those of the [`GaussNewton`](super::GaussNewton) matrix. Sampling stores `samples` scores per output and needs
/// no additional products.
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

/// Settings for an unbiased Monte-Carlo estimate of a [`Fisher`] matrix.
///
/// Targets are drawn once, on the host, when the matrix is made. A seed gives the same matrix on every device, up
/// to rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FisherSampling {
    /// Targets drawn for each output.
    pub samples: usize,
    /// Seed of the draws.
    pub seed: u64,
}

impl<'a, M: Module> Risk<'a, M, Split> {
    /// The exact [`Fisher`] matrix of a model's outputs over the data of a risk. It uses the outputs and the reduction
    /// of the risk, not its criterion.
    ///
    /// # Errors
    ///
    /// Those of [`Fisher`].
    pub fn fisher(&self, model: &M, likelihood: Likelihood) -> Result<Fisher<'a>, CurvatureError>
    where
        M: 'static,
    {
        let metric = move |scale| OutputMetric::Fisher { likelihood, scale };
        let batches = move |site: &Site<'_, 'a, M>, kept: Option<KeptShard>| {
            Fisher::batches(site, kept, likelihood, 0, &metric)
        };
        Matrix::of(self, model, batches).map(Fisher)
    }

    /// The [`Fisher`] matrix with targets drawn from the model.
    ///
    /// # Errors
    ///
    /// Those of [`Fisher`], and [`CurvatureError::NoSamples`].
    pub fn sampled_fisher(
        &self,
        model: &M,
        likelihood: Likelihood,
        sampling: FisherSampling,
    ) -> Result<Fisher<'a>, CurvatureError>
    where
        M: 'static,
    {
        let FisherSampling { samples, seed } = sampling;
        if samples == 0 {
            return Err(CurvatureError::NoSamples);
        }
        let metric = move |scale| OutputMetric::SampledFisher {
            likelihood,
            scale,
            samples,
        };
        let batches = move |site: &Site<'_, 'a, M>, kept: Option<KeptShard>| {
            Fisher::batches(site, kept, likelihood, seed, &metric)
        };
        Matrix::of(self, model, batches).map(Fisher)
    }
}

impl<'a> Fisher<'a> {
    fn batches<M: Module>(
        site: &Site<'_, 'a, M>,
        kept: Option<KeptShard>,
        likelihood: Likelihood,
        noise_seed: u64,
        metric: &dyn Fn(f64) -> OutputMetric,
    ) -> Result<BatchSum<'a>, CurvatureError> {
        let trace = |batch: &dyn RiskBatch<M>, _: usize| {
            let trace = batch.trace_outputs(site.model(), site.settings)?;
            let scale = match site.reduction {
                Reduction::Mean => 1.0 / likelihood.num_targets(trace.output_shape()) as f64,
                Reduction::Sum => 1.0,
            };
            let metric = metric(scale);
            let noise = metric.noise(trace.output_shape());
            let noise = noise.map(|noise| (noise, trace.output_dtype()));
            let traced = site.traced(trace, |trace, wrt| {
                LinearMap::pulled_back(trace, wrt, metric, site.settings)
            })?;
            Ok(Traced { noise, ..traced })
        };
        let setup = Setup {
            first: FirstValue::Outputs,
            noise_seed,
            ..site.setup(&trace)
        };
        symmetric(site, &setup, kept)
    }
}
