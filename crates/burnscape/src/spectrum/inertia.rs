use std::ops::Bound::{Excluded, Unbounded};

use burnscape_krylov::{
    Bracket, Deflated, EigenvalueCount, KrylovFault, LanczosFactorization, Orthonormal, SelfAdjoint,
};
use serde::{Deserialize, Serialize};

use super::Spectrum;
use crate::curvature::CurvatureError;
use crate::range::{FRACTION, ensure};
use crate::space::{ParamSpace, ParamVector, SpaceError};

/// How many eigenvalues are positive, negative, and zero to rounding.
///
/// The counts are exact where the products that the probes would take span the whole space. They are those of
/// [`LanczosFactorization::count_in`](crate::krylov::LanczosFactorization::count_in). Otherwise they are estimated from a
/// [density](Spectrum::density), with intervals, beside bounds that are certain: by Cauchy's interlacing, a compression of
/// an operator to a subspace has no more eigenvalues beyond a bound than the operator.
///
/// An estimate has two errors, and its interval covers both. The *draw*: the probes are few. The *resolution*: the
/// eigenvalues around `zero` and `−zero` lie closer together than the steps can resolve, and a node of the quadrature
/// represents all those in its neighborhood. For each probe, the inequalities of Chebyshev, Markov and Stieltjes bound
/// how much of its mass can be on either side of `zero`. The interval reaches from the mean of the lower bounds to the
/// mean of the upper bounds, widened by the half widths that Student's t gives them over the probes. The estimate is the
/// middle of the bounds.
///
/// By default, an estimate counts eigenvalues up to `10 |A| / steps²` as zero. Where a spectrum ends at zero, as that of
/// a positive semidefinite operator with many small eigenvalues does, the nodes next to it are that far apart
/// (Chebyshev's nodes are). A smaller bound divides a cluster at zero, which the steps cannot resolve, and makes the
/// interval wide. To count smaller eigenvalues, set [`with_zero`](Spectrum::with_zero) and more
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
    pub positive: EigenvalueCount,
    /// Eigenvalues below `−zero`: the index, the number of independent descent directions.
    pub negative: EigenvalueCount,
    /// Eigenvalues between. None is certain unless the count is exact.
    pub near_zero: EigenvalueCount,
    /// Dimensions that were left out, and are in none of the counts: those of the directions of
    /// [`inertia_modulo`](Spectrum::inertia_modulo).
    #[serde(default)]
    pub left_out: usize,
    /// Up to which size an eigenvalue counts as zero.
    pub zero: f64,
    /// Probability with which an interval covers, at least.
    pub confidence: f64,
    /// Number of eigenvalues.
    pub dimension: usize,
    /// Products used.
    pub num_matvecs: usize,
}

/// The size that estimates count as zero, in units of the norm over the square of the steps.
const RESOLVED: f64 = 10.0;

impl<A> Spectrum<'_, A>
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
{
    /// The inertia. Up to `probes · steps` parameters it is exact.
    ///
    /// # Cost
    ///
    /// If exact, a product and a vector for each parameter; otherwise those of a [density](Self::density).
    ///
    /// # Errors
    ///
    /// As [`density`](Self::density); [`CurvatureError::OutOfRange`] for a negative
    /// [`zero`](Self::with_zero), or a confidence that is not between 0 and 1.
    pub fn inertia(&self) -> Result<Inertia, CurvatureError> {
        let (dimension, confidence) = (self.dimension(), self.settings.confidence);
        ensure("confidence", confidence, FRACTION)?;
        if dimension > self.settings.num_probes.saturating_mul(self.settings.steps) {
            return self.estimated_inertia();
        }
        let record =
            LanczosFactorization::from_random(self.operator, dimension, self.settings.seed)?;
        let zero = self.zero(largest(&record.ritz_values()))?;
        let negative = record.count_in(..-zero);
        if negative.exact.is_none() {
            return Err(CurvatureError::Stopped);
        }
        Ok(Inertia {
            positive: record.count_in((Excluded(zero), Unbounded)),
            negative,
            near_zero: record.count_in(-zero..=zero),
            left_out: 0,
            zero,
            confidence,
            dimension,
            num_matvecs: record.num_matvecs(),
        })
    }

    /// The inertia of the operator's compression to the complement of some directions: `P A P` with `P` the orthogonal
    /// projection on what is orthogonal to all of them.
    ///
    /// Directions in which the loss is constant by symmetry, as the [tangents](crate::symmetry::Scales::tangents) of
    /// scales, make eigenvalues zero at any critical point, whatever the data. Without them, `near_zero` counts the flat
    /// directions that the data leave. Directions that depend on others, and zeros, are dropped.
    ///
    /// # Cost
    ///
    /// That of [`inertia`](Self::inertia), and a vector for each direction.
    ///
    /// # Errors
    ///
    /// As [`inertia`](Self::inertia); [`CurvatureError::Space`] for directions of another space.
    pub fn inertia_modulo(&self, directions: &[ParamVector]) -> Result<Inertia, CurvatureError> {
        let basis = independent(&self.operator.domain(), directions.to_vec())?;
        let left_out = basis.len();
        let compression = Deflated::new(self.operator, basis)?;
        let spectrum = Spectrum {
            operator: &compression,
            settings: self.settings.clone(),
        };
        let mut inertia = spectrum.inertia()?;
        // The compression is zero on the directions.
        let zeros = &mut inertia.near_zero;
        let less = |value: f64| (value - left_out as f64).max(0.0);
        zeros.at_least = zeros.at_least.saturating_sub(left_out);
        zeros.exact = zeros.exact.map(|exact| exact.saturating_sub(left_out));
        zeros.estimate = zeros.estimate.map(less);
        zeros.interval = zeros.interval.map(|(low, high)| (less(low), less(high)));
        inertia.left_out = left_out;
        Ok(inertia)
    }

    fn estimated_inertia(&self) -> Result<Inertia, CurvatureError> {
        let density = self.density()?;
        let size = largest(&density.measure().nodes);
        let mut zero = self.zero(size)?;
        if self.settings.zero.is_none() {
            zero = zero.max(RESOLVED * size / (self.settings.steps as f64).powi(2));
        }
        let (n, confidence) = (density.dimension() as f64, self.settings.confidence);
        let above = density.at_least_above(zero);
        let below = density.at_least_below(-zero);
        // A share of the eigenvalues, of which `at_least` are certain, and `elsewhere` are certain not to belong to it.
        let count = |share: Bracket, at_least: usize, elsewhere: usize| {
            let (least, most) = (at_least as f64, n - elsewhere as f64);
            let within = |share: f64| (n * share).min(most).max(least);
            let interval = share.interval(confidence);
            EigenvalueCount {
                at_least,
                exact: None,
                estimate: Some(within(share.value)),
                interval: interval.map(|(low, high)| (within(low), within(high))),
                standard_error: share.standard_error().map(|error| n * error),
            }
        };
        Ok(Inertia {
            positive: count(density.fraction_above(zero), above, below),
            negative: count(density.fraction_below(-zero), below, above),
            near_zero: count(density.fraction_between(-zero, zero), 0, above + below),
            left_out: 0,
            zero,
            confidence,
            dimension: density.dimension(),
            num_matvecs: density.num_matvecs(),
        })
    }
}

/// An orthonormal basis of the span of some vectors.
fn independent(
    space: &ParamSpace,
    mut vectors: Vec<ParamVector>,
) -> Result<Orthonormal<ParamVector>, CurvatureError> {
    loop {
        match Orthonormal::orthonormalize(space, vectors.clone()) {
            Ok(basis) => return Ok(basis),
            Err(SpaceError::Krylov(KrylovFault::Dependent { index, .. })) => {
                vectors.remove(index);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |size, value| size.max(value.abs()))
}
