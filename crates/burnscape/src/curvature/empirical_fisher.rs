use burn::module::Module;
use burnscape_krylov::{LinearOperator, SelfAdjoint};
use burnscape_linearize::{LinearMap, OutputMetric, OutputTrace};

use super::CurvatureError;
use super::batch_points::Setup;
use super::batch_sum::BatchSum;
use super::kept::KeptShard;
use super::matrix::{Matrix, matrix_operator};
use super::site::Site;
use super::stale::FirstValue;
use super::symmetric::symmetric;
use crate::loss::{LossError, PerExample, Reduction, Risk, RiskBatch};
use crate::space::{ParamSpace, ParamVector};

/// The empirical Fisher matrix `1/n Σᵢ gᵢ gᵢᵀ` of the gradients `gᵢ` of single examples over a data set (without
/// `1/n` for a sum).
///
/// It is the uncentered second moment of the gradients of single examples; centered, it is the
/// [`GradientCovariance`](super::GradientCovariance). It is not the [`Fisher`](super::Fisher) information matrix, whose
/// targets come from the model instead of the data. It needs a risk made with
/// [`Risk::per_example`](crate::loss::Risk::per_example).
///
/// # Cost, errors
///
/// Those of the [`GaussNewton`](super::GaussNewton) matrix, and [`LossError::WrongExampleLosses`]. Gradients of
/// single examples are never formed: a product is one forward derivative of the vector of losses and one backward
/// pass.
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
/// let losses = |m: &Linear, x: Tensor<2>| m.forward(x).squeeze_dim::<1>(1);
/// let data = [Tensor::<2>::from_data([[1.0, 2.0], [0.0, 2.0]], &device)];
///
/// // The gradient of each example is its input.
/// let fisher = Risk::per_example(losses, &data).empirical_fisher(&model)?;
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

impl<'a, M: Module> Risk<'a, M, PerExample> {
    /// The [`EmpiricalFisher`] matrix at a model.
    ///
    /// # Errors
    ///
    /// Those of [`EmpiricalFisher`].
    pub fn empirical_fisher(&self, model: &M) -> Result<EmpiricalFisher<'a>, CurvatureError>
    where
        M: 'static,
    {
        Matrix::of(self, model, EmpiricalFisher::batches).map(EmpiricalFisher)
    }
}

impl<'a> EmpiricalFisher<'a> {
    fn batches<M: Module>(
        site: &Site<'_, 'a, M>,
        kept: Option<KeptShard>,
    ) -> Result<BatchSum<'a>, CurvatureError> {
        let trace = |batch: &dyn RiskBatch<M>, examples: usize| {
            let trace = batch.trace_outputs(site.model(), site.settings)?;
            check_example_losses(&trace, examples)?;
            let scale = match site.reduction {
                Reduction::Mean => 1.0 / examples as f64,
                Reduction::Sum => 1.0,
            };
            let metric = OutputMetric::Identity { scale };
            site.traced(trace, |trace, wrt| {
                LinearMap::pulled_back(trace, wrt, metric, site.settings)
            })
        };
        let setup = Setup {
            first: FirstValue::ExampleLosses,
            ..site.setup(&trace)
        };
        symmetric(site, &setup, kept)
    }
}

/// Returns an error unless a trace has one loss for each example of its batch.
pub(super) fn check_example_losses(
    trace: &OutputTrace,
    examples: usize,
) -> Result<(), CurvatureError> {
    if trace.output_shape() == [examples] {
        return Ok(());
    }
    Err(LossError::WrongExampleLosses {
        expected: examples,
        found: trace.output_shape().iter().product(),
    }
    .into())
}
