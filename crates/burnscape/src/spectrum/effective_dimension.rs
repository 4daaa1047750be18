use burnscape_krylov::{Estimate, SelfAdjoint};
use serde::{Deserialize, Serialize};

use super::Spectrum;
use crate::curvature::CurvatureError;
use crate::range::{FRACTION, POSITIVE, ensure};
use crate::space::ParamVector;
use crate::writing::number;

/// The number of directions that the data determine, against a prior of strength `gamma`:
/// `Σ max(λ, 0) / (max(λ, 0) + gamma)`.
///
/// It lies between zero and the number of parameters. Negative eigenvalues do not count: their part, the same sum over
/// `−λ`, is [`negative`](Self::negative). The Gauss-Newton and Fisher matrices have none.
///
/// The interval covers two errors: the draw of the probes and the resolution of the quadrature. Without negative
/// eigenvalues, the rules of Gauss and of Gauss and Radau bound the second, and close on each other as fast as conjugate
/// gradients solve `A + gamma`; with negative eigenvalues the bounds are wide. See
/// [`SpectralDensity::effective_dimension`](crate::krylov::SpectralDensity::effective_dimension).
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
    /// The interval that covers it with probability `confidence` or more. It is conservative. None from a single probe.
    pub interval: Option<(f64, f64)>,
    /// The part of the interval that comes from the draw: the standard error over the probes. None from a single probe.
    #[serde(with = "number")]
    pub standard_error: Option<f64>,
    /// The negative mass, `Σ max(−λ, 0) / (max(−λ, 0) + gamma)`: the mean over the probes, whose standard error does not
    /// cover the resolution.
    pub negative: Estimate,
    /// Probability with which the interval covers, at least.
    pub confidence: f64,
    /// The size from which eigenvalues count.
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
    /// The effective dimension against `gamma`, in the units of an eigenvalue, from a [density](Self::density) and at
    /// its cost.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::OutOfRange`] for a `gamma` that is not positive or a confidence that is not between 0 and 1,
    /// and those of [`density`](Self::density).
    pub fn effective_dimension(&self, gamma: f64) -> Result<EffectiveDimension, CurvatureError> {
        ensure("gamma", gamma, POSITIVE)?;
        let confidence = self.settings.confidence;
        ensure("confidence", confidence, FRACTION)?;
        let density = self.density()?;
        let positive = density.effective_dimension(gamma);
        let negative = |value: f64| (-value).max(0.0) / ((-value).max(0.0) + gamma);
        Ok(EffectiveDimension {
            value: positive.value,
            interval: positive.interval(confidence),
            standard_error: positive.standard_error(),
            negative: density.trace_of(negative),
            confidence,
            gamma,
            dimension: density.dimension(),
            num_matvecs: density.num_matvecs(),
        })
    }
}
