use burn::module::Module;
use burnscape_krylov::{KrylovFault, SelfAdjoint};
use serde::{Deserialize, Serialize};

use super::SharpnessError;
use crate::curvature::{CurvatureError, LayerValue};
use crate::space::{ParamLeaf, ParamVector, Wide, epsilon};

/// The Fisher-Rao norm of a model, exactly: `⟨w, F w⟩` and its root.
///
/// `F` is a [`Fisher`](crate::curvature::Fisher) matrix for the information of the model's
/// predictions, an [`EmpiricalFisher`](crate::curvature::EmpiricalFisher) for gradients at the
/// targets of the data, or a [`GaussNewton`](crate::curvature::GaussNewton) matrix. For a ReLU network with
/// `L + 1` weight layers and no biases, `⟨w, F w⟩ = (L + 1)² E⟨∂ℓ/∂f, f⟩²`, to which all layers contribute
/// equally; with the empirical matrix the expectation is over the data, with the exact one also
/// over targets drawn from the model. The norm depends on the function only, so that rescaling ReLU
/// layers does not change it.
///
/// # Units
///
/// Those of the squared loss, for `F` of a log-likelihood.
///
/// # Cost
///
/// One product; three vectors of parameters.
///
/// # References
///
/// Liang, Poggio, Rakhlin, Stokes 2019, *Fisher-Rao Metric, Geometry, and Complexity of Neural
/// Networks*, arXiv:1711.01530 (the norm, and its closed form for rectifier networks).
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::{Likelihood, Risk};
/// use burnscape::sharpness::FisherRao;
///
/// // For a normal law of variance one around f = x · w the matrix is x xᵀ, the norm |f|.
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let x = Tensor::<2>::from_floats([[1.0, 2.0]], &device);
/// let f: f32 = model.forward(x.clone()).into_scalar();
/// let data = [x];
/// let risk = Risk::split(
///     |m: &Linear, x: &Tensor<2>| m.forward(x.clone()),
///     |z: Tensor<2>, _: Tensor<2>| z.powi_scalar(2).mean(),
///     &data,
/// );
/// let fisher = risk.fisher(&model, Likelihood::Gaussian)?;
/// assert!((FisherRao::of(&fisher, &model)?.norm - f64::from(f).abs()).abs() < 1e-5);
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FisherRao {
    /// `⟨w, F w⟩`.
    pub squared: f64,
    /// Its root.
    pub norm: f64,
    /// The part `⟨w_b, (F w)_b⟩` of each parameter, in visit order; it can be negative. Their sum is `squared`.
    pub parameters: Vec<LayerValue>,
    /// Products used.
    pub num_matvecs: usize,
}

impl FisherRao {
    /// The norm of the weights of `model` in the metric of `fisher`.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::Indefinite`] if `⟨w, F w⟩` is negative beyond rounding,
    /// [`SharpnessError::Krylov`] for a product that is not finite, [`SharpnessError::Overflow`],
    /// [`SharpnessError::Curvature`], [`SharpnessError::Space`].
    pub fn of<M, A>(fisher: &A, model: &M) -> Result<Self, SharpnessError>
    where
        M: Module,
        A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
    {
        let space = fisher.domain();
        let weights = ParamVector::from_module(&space, model)?;
        let product = fisher.matvec(&weights)?;
        let parts = weights.leaf_dots(&product)?;
        let squared: f64 = parts.iter().sum();
        let size = weights.wide_norm()? * product.wide_norm()?;
        if !size.is_finite() {
            return Err(SharpnessError::Krylov(KrylovFault::NonFinite {
                product: 0,
            }));
        }
        if !squared.is_finite() {
            return Err(SharpnessError::Overflow {
                what: "the square of the Fisher-Rao norm",
            });
        }
        let rounding = Wide::from(epsilon(space.dtype()?).sqrt()) * size;
        if Wide::from(-squared).is_greater(rounding) {
            return Err(SharpnessError::Indefinite { value: squared });
        }
        let parameters = space.leaves().iter().zip(parts);
        let part = |(leaf, value): (&ParamLeaf, f64)| LayerValue::exact(leaf, value);
        Ok(Self {
            squared: squared.max(0.0),
            norm: squared.max(0.0).sqrt(),
            parameters: parameters.map(part).collect(),
            num_matvecs: 1,
        })
    }
}
