use std::slice::from_ref;

use serde::{Deserialize, Serialize};

use super::{Estimate, Samples};
use crate::operator::products;
use crate::{KrylovFault, LinearOperator, Outcome, Probe, SelfAdjoint, Step, VectorSpace};

/// How much two self-adjoint operators on the same vectors are alike: `tr(AB)`, and the cosine `tr(AB) / (|A| |B|)` of their
/// angle in the Frobenius inner product.
///
/// The cosine is 1 for positive multiples, −1 for negative ones, and 0 for operators that act on orthogonal subspaces.
///
/// For random signs `z`, the means of `(A z) · (B z)`, `|A z|²` and `|B z|²` are `tr(AB)`, `|A|²` and `|B|²`. All three
/// are estimated from the same vectors, so that their errors cancel in part, and for equal operators entirely.
///
/// # Cost
///
/// One product with each operator per random vector; two vectors at a time.
///
/// # Reproducibility
///
/// Vector `i` is the same for any number of vectors.
///
/// # Defaults
///
/// 64 random vectors, confidence 95 %, ours.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, OverlapConfig, Symmetric};
///
/// let a = Symmetric::verified(Dense::from_rows(&[[2.0, 0.5], [0.5, 1.0]])?, 1e-12, 0)?;
/// let b = Symmetric::verified(Dense::diagonal(&[1.0, 3.0]), 1e-12, 0)?;
/// let overlap = OverlapConfig::new().with_num_probes(400).run(&a, &b)?;
/// // tr(AB) = 5, |A|² = 5.5, |B|² = 10.
/// assert!((overlap.cosine.value - 5.0 / 55.0_f64.sqrt()).abs() < 0.03);
/// assert_eq!(overlap.num_matvecs, 800);
/// assert_eq!(OverlapConfig::new().run(&a, &a)?.cosine.value, 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// Hutchinson (1990) for the means; Efron, Stein, *The jackknife estimate of variance*, Ann. Statist. 9 (1981) for the
/// errors of their ratio.
#[derive(Debug, Clone, PartialEq)]
pub struct OverlapConfig {
    num_probes: usize,
    confidence: f64,
    seed: u64,
}

/// The estimated overlap of two operators.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Overlap {
    /// `tr(AB)`.
    pub inner: Estimate,
    /// The Frobenius norm of the first operator, with the jackknife's standard error.
    pub norm_a: Estimate,
    /// That of the second.
    pub norm_b: Estimate,
    /// `tr(AB) / (|A| |B|)`, with the jackknife's standard error. It is within `[−1, 1]`; its bias, of the order of
    /// the inverse number of random vectors, is not corrected. Not a number if an operator is zero.
    pub cosine: Estimate,
    /// [Half the width](Estimate::half_width) of the interval that covers the cosine with the confidence set. None from a
    /// single random vector.
    #[serde(with = "crate::number::optional")]
    pub half_width: Option<f64>,
    /// Products used, with both operators together.
    pub num_matvecs: usize,
    /// How the run ended. It has converged if there is an interval, unless an observer ended it.
    pub outcome: Outcome,
}

impl Default for OverlapConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl OverlapConfig {
    /// 64 random vectors.
    pub fn new() -> Self {
        Self {
            num_probes: 64,
            confidence: 0.95,
            seed: 0,
        }
    }

    /// Sets the number of random vectors.
    #[must_use]
    pub fn with_num_probes(mut self, num_probes: usize) -> Self {
        self.num_probes = num_probes;
        self
    }

    /// Sets the probability with which the interval covers the cosine.
    #[must_use]
    pub fn with_confidence(mut self, confidence: f64) -> Self {
        self.confidence = confidence;
        self
    }

    /// Sets the seed of the random vectors.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs. The observers of both operators see the cosine after every random vector; a run that one of them ends returns
    /// the estimates from the vectors so far.
    ///
    /// The errors are those of the first operator, which must be able to hold those of the second.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::NoProbes`] for no random vectors; [`KrylovFault::OutOfBounds`] for a confidence outside `(0, 1)`;
    /// [`KrylovFault::NonFinite`], where products with both operators count, in turns; [`KrylovFault::OutOfRange`] if
    /// products are finite and their squares are not; [`KrylovFault::ProductCount`]; those of the operators, in particular
    /// for operators on different spaces.
    pub fn run<A, B>(&self, a: &A, b: &B) -> Result<Overlap, A::Error>
    where
        A: SelfAdjoint<Error: From<B::Error>> + ?Sized,
        B: SelfAdjoint<Vector = A::Vector> + ?Sized,
    {
        KrylovFault::ensure_enough(("num_probes", self.num_probes), "an overlap", 1)?;
        KrylovFault::ensure_probability("confidence", self.confidence)?;
        a.check_square()?;
        b.check_square()?;
        <A::Vector as VectorSpace>::check_same(&a.domain(), &b.domain())?;
        let mut source = Samples::new(a, Probe::Rademacher, self.seed);
        let mut samples: Vec<Moments> = Vec::new();
        let mut num_matvecs = 0;
        loop {
            let z = source.draw()?;
            let is_first = samples.is_empty();
            let Some(image_a) = image(a, &z, num_matvecs, is_first)? else {
                return Ok(self.read(&samples, num_matvecs).stopped());
            };
            num_matvecs += 1;
            let Some(image_b) = image(b, &z, num_matvecs, is_first)? else {
                return Ok(self.read(&samples, num_matvecs).stopped());
            };
            num_matvecs += 1;
            samples.push(moments(&image_a, &image_b)?);
            let found = self.read(&samples, num_matvecs);
            let step = Step::new("overlap", num_matvecs)
                .with_limit(self.num_probes.saturating_mul(2))
                .with_value(found.cosine.value)
                .with_error(found.half_width);
            let is_stopped = [a.report(&step), b.report(&step)]
                .iter()
                .any(|flow| flow.is_break());
            if samples.len() >= self.num_probes {
                return Ok(found);
            }
            if is_stopped {
                return Ok(found.stopped());
            }
        }
    }

    fn read(&self, samples: &[Moments], num_matvecs: usize) -> Overlap {
        let inner: Vec<f64> = samples.iter().map(|[inner, ..]| *inner).collect();
        let cosine = jackknife(samples, cosine);
        let half_width = cosine.half_width(self.confidence);
        Overlap {
            inner: Estimate::of(&inner),
            norm_a: jackknife(samples, |[_, square, _]| square.sqrt()),
            norm_b: jackknife(samples, |[_, _, square]| square.sqrt()),
            cosine,
            half_width,
            num_matvecs,
            outcome: Outcome::of(half_width.is_some_and(|half| !half.is_nan()), false),
        }
    }
}

impl Overlap {
    /// The overlap of a run that an observer ended.
    fn stopped(self) -> Self {
        Self {
            outcome: Outcome::Stopped,
            ..self
        }
    }
}

/// `(A z) · (B z)`, `|A z|²` and `|B z|²`, or means of them.
type Moments = [f64; 3];

fn moments<V: VectorSpace>(a: &V, b: &V) -> Result<Moments, V::Error> {
    let moments = [a.dot(b)?, a.dot(a)?, b.dot(b)?];
    if moments.iter().all(|moment| moment.is_finite()) {
        return Ok(moments);
    }
    let (name, exponent) = ("overlap", f64::MAX_EXP);
    Err(KrylovFault::OutOfRange { name, exponent }.into())
}

/// In this order it is exactly ±1 for equal and opposite operators, and the product of the squares, which may leave its
/// range, is not needed.
fn cosine([inner, square_a, square_b]: Moments) -> f64 {
    inner / square_a * (square_a / square_b).sqrt()
}

/// The product with one vector. None if an observer ended it; that is an error for the first vector.
fn image<A: LinearOperator + ?Sized>(
    operator: &A,
    z: &A::Domain,
    product: usize,
    is_first: bool,
) -> Result<Option<A::Range>, A::Error> {
    match products(operator, from_ref(z), product) {
        Err(error) if operator.is_stop(&error) && !is_first => Ok(None),
        found => Ok(found?.pop()),
    }
}

/// A function of the means of samples, with the standard error of the jackknife: that of the mean of
/// `n θ − (n − 1) θᵢ`, where `θ` is the value from all samples and `θᵢ` that without sample `i`.
fn jackknife(samples: &[Moments], of: impl Fn(Moments) -> f64) -> Estimate {
    let count = samples.len();
    // Sums of the samples from each one on, so that nothing is subtracted.
    let mut after = vec![Moments::default(); count + 1];
    for (index, sample) in samples.iter().enumerate().rev() {
        after[index] = sum(after[index + 1], *sample);
    }
    let n = count as f64;
    let value = of(after[0].map(|sum| sum / n));
    let mut before = Moments::default();
    let mut values = Vec::with_capacity(count);
    for (index, sample) in samples.iter().enumerate() {
        let rest = sum(before, after[index + 1]).map(|sum| sum / (n - 1.0));
        values.push(match count {
            1 => value,
            _ => n * value - (n - 1.0) * of(rest),
        });
        before = sum(before, *sample);
    }
    Estimate {
        value,
        ..Estimate::of(&values)
    }
}

fn sum(a: Moments, b: Moments) -> Moments {
    std::array::from_fn(|index| a[index] + b[index])
}

#[cfg(test)]
mod tests;
