use std::ops::ControlFlow;

use super::{Estimate, TraceEstimate};
use crate::error::raise;
use crate::vector::push_orthogonal;
use crate::{KrylovError, Probe, SelfAdjoint, VectorBlock, VectorSpace};

/// How a trace is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TraceMethod {
    /// The mean of `vᵀ A v` over Rademacher vectors: the error falls as one over the root of the
    /// products, and is proportional to the Frobenius norm off the diagonal.
    #[default]
    Hutchinson,
    /// A third of the products find a subspace in which the trace is taken exactly, and the rest goes to
    /// what is left: better where eigenvalues decay fast.
    HutchPlusPlus,
}

/// The trace of a self-adjoint operator, with an interval.
///
/// # Cost
///
/// At most `max_products` products; fewer if the interval comes within the tolerance before.
/// [`HutchPlusPlus`](TraceMethod::HutchPlusPlus) keeps a third as many vectors.
///
/// # Reproducibility
///
/// Vector `i` is the same however many are drawn.
///
/// # Defaults
///
/// 64 products, no tolerance, confidence 95 %, ours. An interval is a statement about the draws, by
/// Student's t: with a handful of them, of a law far from normal, it is rough.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, Symmetric, TraceConfig};
///
/// let a = Symmetric::verified(Dense::from_rows(&[[2.0, 0.5], [0.5, 3.0]])?, 1e-12, 0)?;
/// let trace = TraceConfig::new().with_max_products(200).run(&a)?;
/// assert!((trace.value - 5.0).abs() < 2.0 * trace.half_width.unwrap_or(0.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// Hutchinson (1990); Meyer, Musco, Musco, Woodruff, *Hutch++*, SOSA 2021.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceConfig {
    method: TraceMethod,
    max_products: usize,
    tolerance: Option<f64>,
    confidence: f64,
    seed: u64,
}

impl Default for TraceConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// Hutchinson's interval is not believed before this many samples.
const FEWEST: usize = 8;

impl TraceConfig {
    /// Hutchinson's method with 64 products.
    pub fn new() -> Self {
        Self {
            method: TraceMethod::Hutchinson,
            max_products: 64,
            tolerance: None,
            confidence: 0.95,
            seed: 0,
        }
    }

    /// Sets the method.
    #[must_use]
    pub fn with_method(mut self, method: TraceMethod) -> Self {
        self.method = method;
        self
    }

    /// Sets the limit of products.
    #[must_use]
    pub fn with_max_products(mut self, products: usize) -> Self {
        self.max_products = products;
        self
    }

    /// Stops Hutchinson's method once half the interval is at most `tolerance` times the trace.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// Sets the probability with which the interval covers the trace.
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

    /// Runs.
    ///
    /// # Errors
    ///
    /// [`KrylovError::NoProbes`] for too few products (1 for Hutchinson, 3 for Hutch++),
    /// [`KrylovError::InvalidTolerance`], [`KrylovError::NonFiniteArgument`] for a confidence outside
    /// `(0, 1)`, [`KrylovError::NonFinite`], [`KrylovError::Operator`].
    pub fn run<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<TraceEstimate, KrylovError<A::Error>> {
        self.run_observed(operator, |_| ControlFlow::Continue(()))
    }

    /// As [`run`](Self::run); `observe` sees the estimate after every sample and can stop.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_observed<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        observe: impl FnMut(&TraceEstimate) -> ControlFlow<()>,
    ) -> Result<TraceEstimate, KrylovError<A::Error>> {
        operator.check_square()?;
        if let Some(tolerance) = self.tolerance
            && !(tolerance > 0.0 && tolerance.is_finite())
        {
            return Err(KrylovError::InvalidTolerance { tolerance });
        }
        if !(self.confidence > 0.0 && self.confidence < 1.0) {
            return Err(KrylovError::NonFiniteArgument {
                name: "confidence (between 0 and 1)",
                value: self.confidence,
            });
        }
        match self.method {
            TraceMethod::Hutchinson => self.hutchinson(operator, observe),
            TraceMethod::HutchPlusPlus => self.hutch_plus_plus(operator, observe),
        }
    }

    fn hutchinson<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        mut observe: impl FnMut(&TraceEstimate) -> ControlFlow<()>,
    ) -> Result<TraceEstimate, KrylovError<A::Error>> {
        let space = operator.domain();
        let mut samples = Vec::with_capacity(self.max_products);
        let mut estimate = Err(KrylovError::NoProbes);
        for index in 0..self.max_products {
            let v = Probe::Rademacher.draw::<A::Vector>(&space, self.seed, index as u64);
            let v = v.map_err(raise)?;
            samples.push(quadratic(operator, &v, index)?);
            let now = self.estimate(&samples, 0.0, samples.len());
            let is_done = samples.len() >= FEWEST && now.converged;
            estimate = Ok(now);
            if observe(&now).is_break() || (is_done && self.tolerance.is_some()) {
                break;
            }
        }
        estimate
    }

    fn hutch_plus_plus<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        mut observe: impl FnMut(&TraceEstimate) -> ControlFlow<()>,
    ) -> Result<TraceEstimate, KrylovError<A::Error>> {
        let space = operator.domain();
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        let third = (self.max_products / 3).min(dimension);
        if third == 0 {
            return Err(KrylovError::NoProbes);
        }
        // The range of the operator, from products with random vectors.
        let block = <A::Vector as VectorSpace>::Block::with_capacity(&space, third);
        let mut basis = block.map_err(raise)?;
        let mut products = 0;
        for index in 0..third {
            let v = Probe::Rademacher.draw::<A::Vector>(&space, self.seed, index as u64);
            let product = operator.matvec(&v.map_err(raise)?)?;
            products += 1;
            if !product.norm().map_err(raise)?.is_finite() {
                return Err(KrylovError::NonFinite { product: index });
            }
            // Of low rank, the operator has shown its range already.
            if !push_orthogonal(&mut basis, product).map_err(raise)? {
                break;
            }
        }
        let mut exact = 0.0;
        for index in 0..basis.len() {
            if let Some(q) = basis.get(index) {
                exact += quadratic(operator, &q, products)?;
                products += 1;
            }
        }
        let mut samples = Vec::new();
        let mut estimate = TraceEstimate {
            value: exact,
            half_width: (basis.len() == dimension).then_some(0.0),
            products,
            converged: basis.len() == dimension,
        };
        while basis.len() < dimension && products < self.max_products {
            let index = (third + samples.len()) as u64;
            let v = Probe::Rademacher.draw::<A::Vector>(&space, self.seed, index);
            let rest = basis.reject(v.map_err(raise)?).map_err(raise)?;
            samples.push(quadratic(operator, &rest, products)?);
            products += 1;
            estimate = self.estimate(&samples, exact, products);
            if observe(&estimate).is_break() {
                break;
            }
        }
        Ok(estimate)
    }

    fn estimate(&self, samples: &[f64], exact: f64, products: usize) -> TraceEstimate {
        let mean = Estimate::of(samples);
        let half_width = mean.half_width(self.confidence);
        let value = exact + mean.value;
        let allowed = self.tolerance.map_or(f64::INFINITY, |t| t * value.abs());
        TraceEstimate {
            value,
            half_width,
            products,
            converged: half_width.is_some_and(|half| half <= allowed),
        }
    }
}

/// `vᵀ A v`.
fn quadratic<A: SelfAdjoint + ?Sized>(
    operator: &A,
    v: &A::Vector,
    product: usize,
) -> Result<f64, KrylovError<A::Error>> {
    let value = v.dot(&operator.matvec(v)?).map_err(raise)?;
    match value.is_finite() {
        true => Ok(value),
        false => Err(KrylovError::NonFinite { product }),
    }
}
