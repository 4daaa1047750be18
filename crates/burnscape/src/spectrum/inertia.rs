use burnscape_krylov::{Bracket, LanczosFactorization, SelfAdjoint, SpectralDensity};
use serde::{Deserialize, Serialize};

use super::Spectrum;
use super::spectrum_of::check_probability;
use crate::curvature::CurvatureError;
use crate::space::ParamVector;

/// How many eigenvalues are of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Count {
    /// The number; an estimate with a fraction unless [`Inertia::exact`].
    pub value: f64,
    /// The interval that covers the number with probability [`Inertia::confidence`] at least: it has room for
    /// the draw of the probes, and for what so many steps cannot resolve. Conservative. None from a single
    /// probe; both ends are the value if exact.
    pub interval: Option<(f64, f64)>,
    /// The part of the interval that the draw of the probes makes: the standard error over the probes. What the
    /// steps cannot resolve is often more. Zero if exact, none from a single probe.
    pub standard_error: Option<f64>,
    /// At least so many, for certain: by Cauchy's interlacing, a compression of an operator to a subspace
    /// has no more eigenvalues beyond a bound than the operator. Always zero for those near zero.
    pub at_least: usize,
}

/// How many eigenvalues are positive, negative, and zero to rounding.
///
/// Exact where all of the space can be spanned within the products that the probes would take;
/// otherwise estimated from a [density](Spectrum::density), with intervals, beside bounds that are certain.
///
/// Two things make an estimate wrong, and intervals cover both. The *draw*: the probes are few. The
/// *resolution*: the eigenvalues around `zero` and `−zero` lie closer together than so many steps can tell, and a
/// node of the quadrature stands for all those in its neighborhood. For each probe, the inequalities of Chebyshev,
/// Markov and Stieltjes bound how much of its mass can be on either side of `zero`; the interval reaches from the
/// mean of the lower bounds less, to the mean of the upper bounds plus, the half width that Student's t gives them
/// over the probes. The estimate is the middle of the bounds.
///
/// What counts as zero is then, by default, `10 |A| / steps²`: where a spectrum ends at zero, as that of a
/// positive semidefinite operator with many small eigenvalues does, the nodes next to it are so far apart (Chebyshev's
/// nodes are). A smaller bound would ask how a cluster at zero divides, and the interval would say that it
/// cannot be told. To ask for smaller eigenvalues, set [`with_zero`](Spectrum::with_zero) and more
/// [steps](Spectrum::with_steps): twice the steps resolve about a quarter of the size.
///
/// # References
///
/// Ubaru, Chen, Saad, SIAM J. Matrix Anal. Appl. 38 (2017), on quadrature by probes; Szegő, *Orthogonal
/// Polynomials*, section 3.41, and Akhiezer, *The Classical Moment Problem*, section 2.5, on the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Inertia {
    /// Eigenvalues above `zero`.
    pub positive: Count,
    /// Eigenvalues below `−zero`: the index, the number of independent ways down.
    pub negative: Count,
    /// Eigenvalues between.
    pub near_zero: Count,
    /// Up to which size an eigenvalue counts as zero.
    pub zero: f64,
    /// Probability with which an interval covers, at least.
    pub confidence: f64,
    /// Whether the counts are exact (to the rounding of products).
    pub exact: bool,
    /// Number of eigenvalues.
    pub dimension: usize,
    /// Products used.
    pub num_matvecs: usize,
}

/// What counts as zero, in units of the norm over the square of the steps.
const RESOLVED: f64 = 10.0;

impl<A> Spectrum<'_, A>
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
{
    /// The inertia. Up to `probes · steps` parameters it takes a product for each, and is exact.
    ///
    /// # Cost
    ///
    /// If exact, a product and a vector for each parameter; else those of a [density](Self::density).
    ///
    /// # Errors
    ///
    /// As [`density`](Self::density); [`CurvatureError::OutOfRange`] for a negative
    /// [`zero`](Self::with_zero), or a confidence that is not between 0 and 1.
    pub fn inertia(&self) -> Result<Inertia, CurvatureError> {
        let (dimension, confidence) = (self.dimension(), self.settings.confidence);
        check_probability("confidence", confidence)?;
        if dimension <= self.settings.probes.saturating_mul(self.settings.steps) {
            let record =
                LanczosFactorization::from_random(self.operator, dimension, self.settings.seed)?;
            let values = record.ritz_values();
            let zero = self.zero(largest(&values))?;
            return match record.is_invariant() && values.len() == dimension {
                true => Ok(exact(&values, (zero, confidence), record.num_matvecs())),
                false => Err(CurvatureError::Stopped),
            };
        }
        let density = self.density()?;
        let size = largest(&density.measure().nodes);
        let resolution = RESOLVED * size / (self.settings.steps as f64).powi(2);
        let zero = match self.settings.zero {
            Some(_) => self.zero(size)?,
            None => self.zero(size)?.max(resolution),
        };
        Ok(estimated(&density, zero, confidence))
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |size, value| size.max(value.abs()))
}

fn exact(values: &[f64], (zero, confidence): (f64, f64), num_matvecs: usize) -> Inertia {
    let count = |is_one: &dyn Fn(f64) -> bool| {
        let number = values.iter().filter(|value| is_one(**value)).count();
        Count {
            value: number as f64,
            interval: Some((number as f64, number as f64)),
            standard_error: Some(0.0),
            at_least: number,
        }
    };
    Inertia {
        positive: count(&|value| value > zero),
        negative: count(&|value| value < -zero),
        near_zero: count(&|value| value.abs() <= zero),
        zero,
        confidence,
        exact: true,
        dimension: values.len(),
        num_matvecs,
    }
}

fn estimated(density: &SpectralDensity, zero: f64, confidence: f64) -> Inertia {
    let n = density.dimension() as f64;
    let above = density.at_least_above(zero);
    let below = density.at_least_below(-zero);
    let count = |share: Bracket, at_least: usize, elsewhere: usize| {
        let (least, most) = (at_least as f64, n - elsewhere as f64);
        let within = |share: f64| (n * share).min(most).max(least);
        let interval = share.interval(confidence);
        Count {
            value: within(share.value),
            interval: interval.map(|(low, high)| (within(low), within(high))),
            standard_error: share.standard_error().map(|error| n * error),
            at_least,
        }
    };
    Inertia {
        positive: count(density.fraction_above(zero), above, below),
        negative: count(density.fraction_below(-zero), below, above),
        near_zero: count(density.fraction_between(-zero, zero), 0, above + below),
        zero,
        confidence,
        exact: false,
        dimension: density.dimension(),
        num_matvecs: density.num_matvecs(),
    }
}
