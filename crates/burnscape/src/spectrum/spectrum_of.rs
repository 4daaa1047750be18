use std::fmt;

use burnscape_krylov::{DiagonalMethod, SelfAdjoint, TraceMethod, VectorSpace};

use super::settings::Settings;
use crate::curvature::CurvatureError;
use crate::range::ensure;
use crate::space::{ParamVector, epsilon};

/// The spectrum of a symmetric operator over parameters, by its products. See [the
/// room](crate::spectrum) for the questions it answers.
///
/// # Observers
///
/// Answers report every product to the [observer](crate::loss::Risk::with_observer) of the risk that the operator is made
/// of, and to one of the operator itself ([`observed`](crate::krylov::LinearOperator::observed)). One that is stopped is
/// made of what there is, or [`CurvatureError::Stopped`] where that is nothing.
///
/// # Reproducibility
///
/// Random vectors are functions of the seed and their number only: more of them extend an answer. They
/// are drawn on the host, so that devices differ by rounding.
///
/// # Defaults
///
/// Tolerance 1e-4 for eigenpairs and 0.02 for traces, at most 1,000 products, 10 probes of 80 steps (as Ghorbani et al. 2019), confidence
/// 95 %, seed 0.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::spectrum::Spectrum;
///
/// let device = Device::default();
/// let model = LinearConfig::new(3, 2).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).mean();
/// let data = [Tensor::<2>::ones([4, 3], &device)];
/// let hessian = Risk::new(&loss, &data).hessian(&model)?;
///
/// let spectrum = Spectrum::of(&hessian).with_seed(3).with_probes(4);
/// let density = spectrum.density()?;
/// assert_eq!(density.dimension(), 8);
/// // Two eigenvalues of eight are not zero: one for each output.
/// assert!((spectrum.inertia()?.positive.value - 2.0).abs() < 1e-9);
/// # Ok::<(), burnscape::curvature::CurvatureError>(())
/// ```
pub struct Spectrum<'a, A: ?Sized> {
    pub(super) operator: &'a A,
    pub(super) settings: Settings,
}

impl<'a, A> Spectrum<'a, A>
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
{
    /// The spectrum of `operator`. Nothing is computed yet.
    ///
    /// That the operator is symmetric is its own claim, which is not tested here: a
    /// [`Hessian`](crate::curvature::Hessian) and its like test theirs when they are made, for one of your own
    /// take [`Symmetric::verified`](crate::krylov::Symmetric::verified).
    pub fn of(operator: &'a A) -> Self {
        Self {
            operator,
            settings: Settings::default(),
        }
    }
}

impl<'a, A: ?Sized> Spectrum<'a, A> {
    /// Sets how far residuals of eigenpairs may be off, relative to the norm of the operator.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.settings.tolerance = tolerance;
        self
    }

    /// Sets the half width at which a [trace](Self::trace) is good enough, relative to the trace.
    #[must_use]
    pub fn with_trace_tolerance(mut self, tolerance: f64) -> Self {
        self.settings.trace_tolerance = tolerance;
        self
    }

    /// Sets the limit of products of one answer.
    #[must_use]
    pub fn with_max_matvecs(mut self, num_matvecs: usize) -> Self {
        self.settings.max_matvecs = num_matvecs;
        self
    }

    /// Sets how many vectors are kept while eigenpairs are sought; `max(2 k + 20, 40)` by default.
    #[must_use]
    pub fn with_max_basis(mut self, vectors: usize) -> Self {
        self.settings.max_basis = Some(vectors);
        self
    }

    /// Caps the memory of the vectors kept while eigenpairs are sought, those of a restart included, in
    /// bytes; the run restarts the more often. What the operator takes is not counted. Other answers keep
    /// as many vectors as they take [steps](Self::with_steps).
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_bytes = Some(bytes);
        self
    }

    /// Sets the number of random vectors of densities, diagonals and traces of layers.
    #[must_use]
    pub fn with_probes(mut self, probes: usize) -> Self {
        self.settings.probes = probes;
        self
    }

    /// Sets the number of Lanczos steps from each random vector.
    #[must_use]
    pub fn with_steps(mut self, steps: usize) -> Self {
        self.settings.steps = steps;
        self
    }

    /// Sets how many outliers, the eigenvalues of largest size, [densities](Self::density) take out
    /// exactly: they are found first, and the probes resolve the rest. None by default.
    #[must_use]
    pub fn with_outliers(mut self, outliers: usize) -> Self {
        self.settings.outliers = outliers;
        self
    }

    /// Sets how a [trace](Self::trace) is estimated; Hutchinson's method by default.
    #[must_use]
    pub fn with_trace_method(mut self, method: TraceMethod) -> Self {
        self.settings.trace_method = method;
        self
    }

    /// Sets how a [diagonal](Self::diagonal) is estimated; Hutchinson's method by default.
    #[must_use]
    pub fn with_diagonal_method(mut self, method: DiagonalMethod) -> Self {
        self.settings.diagonal_method = method;
        self
    }

    /// Sets the probability that intervals cover what they are about; between 0 and 1.
    #[must_use]
    pub fn with_confidence(mut self, confidence: f64) -> Self {
        self.settings.confidence = confidence;
        self
    }

    /// Sets up to which size, in absolute terms, an eigenvalue counts as zero. By default that is the
    /// rounding of products, `8 √n ε |A|`, so that it scales with the loss; an estimated
    /// [inertia](Self::inertia) takes `10 |A| / steps²`, what its steps resolve. Relative to `|A|` only the zero operator is all zero: for a
    /// verdict that calls small curvature a plateau, say here how small. Below the rounding, signs are
    /// chance, and counts of them no longer certain.
    #[must_use]
    pub fn with_zero(mut self, size: f64) -> Self {
        self.settings.zero = Some(size);
        self
    }

    /// Sets the seed of the random vectors.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }
}

impl<A> Spectrum<'_, A>
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
{
    pub(super) fn dimension(&self) -> usize {
        <ParamVector as VectorSpace>::dimension(&self.operator.domain())
    }

    /// Up to which size an eigenvalue of an operator of norm `size` counts as zero.
    pub(super) fn zero(&self, size: f64) -> Result<f64, CurvatureError> {
        if let Some(zero) = self.settings.zero {
            ensure("zero", zero, 0.0..)?;
            return Ok(zero);
        }
        let space = self.operator.domain();
        let root = (self.dimension() as f64).sqrt();
        Ok(8.0 * root * epsilon(space.dtype()?) * size)
    }
}

impl<A: ?Sized> fmt::Debug for Spectrum<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spectrum")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
