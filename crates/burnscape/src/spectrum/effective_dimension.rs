use burnscape_krylov::SelfAdjoint;
use serde::{Deserialize, Serialize};

use super::Spectrum;
use super::spectrum_of::{check_positive, check_probability};
use crate::curvature::CurvatureError;
use crate::space::ParamVector;

/// How many directions the data determine, against a prior of strength `gamma`: `Σ λ / (λ + gamma)`
/// over the positive eigenvalues.
///
/// Between zero and the number of parameters. Negative eigenvalues count nothing: take the
/// Gauss-Newton or Fisher matrix, which has none, where the number is to be compared.
///
/// The interval covers the draw of the probes, and the resolution of the quadrature. Of a matrix without
/// negative eigenvalues the latter is bounded by the rules of Gauss and of Gauss and Radau, which close on each
/// other as fast as conjugate gradients solve `A + gamma`; with negative ones the bounds are wide:
/// see [`SpectralDensity::effective_dimension`](crate::krylov::SpectralDensity::effective_dimension).
///
/// # Reference
///
/// MacKay, *Bayesian interpolation*, Neural Computation 4 (1992); Maddox, Benton, Wilson,
/// arXiv:2003.02139.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EffectiveDimension {
    /// The estimate.
    pub value: f64,
    /// The interval that covers it with probability `confidence` at least: it has room for the draw of the probes
    /// and for what so many steps cannot resolve. Conservative. None from a single probe.
    pub interval: Option<(f64, f64)>,
    /// The part of the interval that the draw makes: the standard error over the probes; none from a single
    /// one.
    pub standard_error: Option<f64>,
    /// Probability with which the interval covers, at least.
    pub confidence: f64,
    /// What eigenvalues are compared with.
    pub gamma: f64,
    /// Number of parameters.
    pub dimension: usize,
    /// Products used.
    pub num_matvecs: usize,
}

impl<A> Spectrum<'_, A>
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
{
    /// The effective dimension against `gamma`, in the units of an eigenvalue, from a
    /// [density](Self::density), at the cost of one.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::OutOfRange`] for a `gamma` that is not positive or a confidence that is not between 0 and
    /// 1, and those of
    /// [`density`](Self::density).
    pub fn effective_dimension(&self, gamma: f64) -> Result<EffectiveDimension, CurvatureError> {
        check_positive("gamma", gamma)?;
        let confidence = self.settings.confidence;
        check_probability("confidence", confidence)?;
        let density = self.density()?;
        let sum = density.effective_dimension(gamma);
        Ok(EffectiveDimension {
            value: sum.value,
            interval: sum.interval(confidence),
            standard_error: sum.standard_error(),
            confidence,
            gamma,
            dimension: density.dimension(),
            num_matvecs: density.num_matvecs(),
        })
    }
}
