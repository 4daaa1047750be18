use super::{TraceEstimate, TraceMethod};
use crate::{Estimate, KrylovFault, LinearOperator, Outcome, SelfAdjoint, Step, VectorSpace};

/// The trace of a self-adjoint operator, with an interval.
///
/// # Cost
///
/// At most `max_matvecs` products; fewer if the interval is within the tolerance earlier. Hutchinson's method keeps no
/// vectors, [Hutch++](TraceMethod::HutchPlusPlus) a third as many as products, [XTrace](TraceMethod::XTrace) one and a half
/// times as many, [XNysTrace](TraceMethod::XNysTrace) three times as many; the last two solve small problems on the host,
/// `products³`.
///
/// # Reproducibility
///
/// Vector `i` is the same for any number of products.
///
/// # Defaults
///
/// 64 products, no tolerance, confidence 95 %, ours. The interval is Student's, [corrected for
/// skewness](crate::Estimate::half_width): with eight samples or more it covers 93 to 98 % at a confidence of 95 % for any
/// spectrum; with fewer samples from a distribution far from normal (one eigenvalue dominates the trace), 80 to 90 %.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, Symmetric, TraceConfig};
///
/// let a = Symmetric::verified(Dense::from_rows(&[[2.0, 0.5], [0.5, 3.0]])?, 1e-12, 0)?;
/// let trace = TraceConfig::new().with_max_matvecs(200).run(&a)?;
/// assert!((trace.value - 5.0).abs() < 2.0 * trace.half_width.unwrap_or(0.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// Hutchinson (1990); Meyer, Musco, Musco, Woodruff, *Hutch++*, SOSA 2021; Epperly, Tropp, Webber,
/// *XTrace: making the most of every sample in stochastic trace estimation*, SIAM J. Matrix Anal. Appl.
/// 45 (2024).
#[derive(Debug, Clone, PartialEq)]
pub struct TraceConfig {
    pub(super) method: TraceMethod,
    pub(super) max_matvecs: usize,
    pub(super) block: usize,
    pub(super) tolerance: Option<f64>,
    pub(super) confidence: f64,
    pub(super) seed: u64,
}

impl Default for TraceConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl TraceConfig {
    /// Hutchinson's method with 64 products.
    pub fn new() -> Self {
        Self {
            method: TraceMethod::Hutchinson,
            max_matvecs: 64,
            block: 1,
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
    pub fn with_max_matvecs(mut self, num_matvecs: usize) -> Self {
        self.max_matvecs = num_matvecs;
        self
    }

    /// Sets how many random vectors Hutchinson's method multiplies at once
    /// ([`matmat`](crate::LinearOperator::matmat)), 1 by default: more where the operator shares a pass over
    /// the data between them. The interval is computed, and an observer called, once a block. The samples are
    /// the same. Other methods refuse it: they choose their blocks.
    #[must_use]
    pub fn with_block(mut self, vectors: usize) -> Self {
        self.block = vectors.max(1);
        self
    }

    /// Stops once half the interval is at most `tolerance` times the trace, after 24 samples at least (8 vectors of
    /// XTrace and XNysTrace). A stop that depends on the samples favors spreads that are too small by chance; with that
    /// many samples, the interval covers 94 to 97 % at a confidence of 95 %.
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

    /// Runs. An observer of the operator sees the estimate after every block of samples; a run that it ends returns the
    /// estimate from the samples so far.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::UnusedSetting`]; [`KrylovFault::NoProbes`] for too few products (1 for Hutchinson, 3 for Hutch++,
    /// 4 for XTrace, 2 for XNysTrace); [`KrylovFault::OutOfBounds`] for the tolerance, or a confidence outside `(0, 1)`;
    /// [`KrylovFault::Indefinite`] for XNysTrace of an operator that is not positive semidefinite;
    /// [`KrylovFault::NonFinite`]; [`KrylovFault::ProductCount`]; and those of the operator.
    pub fn run<A: SelfAdjoint + ?Sized>(&self, operator: &A) -> Result<TraceEstimate, A::Error> {
        operator.check_square()?;
        self.check()?;
        let has_blocks = [TraceMethod::Hutchinson, TraceMethod::Auto].contains(&self.method);
        if self.block > 1 && !has_blocks {
            return Err(KrylovFault::UnusedSetting {
                setting: "block",
                method: self.method.name(),
            }
            .into());
        }
        let dimension = <A::Vector as VectorSpace>::dimension(&operator.domain());
        match self.method {
            // There is no subspace to find.
            _ if dimension == 0 => self.hutchinson(operator, Vec::new(), 0),
            TraceMethod::Hutchinson => self.hutchinson(operator, Vec::new(), 0),
            TraceMethod::HutchPlusPlus => self.hutch_plus_plus(operator),
            TraceMethod::XTrace => self.xtrace(operator),
            TraceMethod::XNysTrace => self.xnystrace(operator),
            TraceMethod::Auto => self.auto(operator),
        }
    }

    /// Shows an estimate to an observer: whether the run is to end.
    pub(super) fn shown<A: LinearOperator + ?Sized>(
        &self,
        operator: &A,
        estimate: &TraceEstimate,
    ) -> bool {
        let step = Step::new("trace", estimate.num_matvecs)
            .with_limit(self.max_matvecs)
            .with_value(estimate.value)
            .with_error(estimate.half_width)
            .with_goal(self.goal(estimate.value));
        operator.report(&step).is_break()
    }

    /// Whether the estimate is within the tolerance that was set.
    pub(super) fn is_done(&self, estimate: &TraceEstimate) -> bool {
        self.tolerance.is_some() && estimate.outcome.is_converged()
    }

    /// The estimate from the mean of independent samples, and a part that is known exactly.
    pub(super) fn estimate(
        &self,
        samples: &[f64],
        exact: f64,
        about: (usize, TraceMethod),
    ) -> TraceEstimate {
        let mean = Estimate::of(samples);
        let half_width = mean.half_width(self.confidence);
        let is_enough = samples.len() >= Estimate::FEWEST;
        self.report((exact + mean.value, half_width), is_enough, about)
    }

    pub(super) fn report(
        &self,
        (value, half_width): (f64, Option<f64>),
        is_enough: bool,
        about: (usize, TraceMethod),
    ) -> TraceEstimate {
        self.judged((value, half_width), self.goal(value), is_enough, about)
    }

    /// The estimate with its outcome. While `is_enough` is false, the samples are too few for their spread to be believed,
    /// and the estimate has not converged to a tolerance: two samples are often equal by chance.
    pub(super) fn judged(
        &self,
        (value, half_width): (f64, Option<f64>),
        goal: Option<f64>,
        is_enough: bool,
        (num_matvecs, method): (usize, TraceMethod),
    ) -> TraceEstimate {
        let allowed = goal.unwrap_or(f64::INFINITY);
        let is_narrow = half_width.is_some_and(|half| half <= allowed);
        TraceEstimate {
            value,
            half_width,
            num_matvecs,
            outcome: Outcome::of(is_narrow && (goal.is_none() || is_enough), false),
            method,
        }
    }

    /// The largest half width that the tolerance allows.
    pub(super) fn goal(&self, value: f64) -> Option<f64> {
        self.tolerance.map(|tolerance| tolerance * value.abs())
    }

    /// The limit of products, with its name.
    pub(super) fn limit(&self) -> (&'static str, usize) {
        ("max_matvecs", self.max_matvecs)
    }

    pub(super) fn check(&self) -> Result<(), KrylovFault> {
        if let Some(tolerance) = self.tolerance {
            KrylovFault::ensure_positive("tolerance", tolerance)?;
        }
        KrylovFault::ensure_probability("confidence", self.confidence)
    }
}
