use std::fmt;

use burnscape_krylov::{SelfAdjoint, VectorSpace};

use super::settings::Settings;
use crate::curvature::CurvatureError;
use crate::range::ensure;
use crate::space::{ParamVector, epsilon};

/// The spectrum of a symmetric operator over parameters, with settings that several questions share. See [the
/// module](crate::spectrum) for the questions.
///
/// # Observers
///
/// Every product is reported to the [observer](crate::loss::Risk::with_observer) of the operator's risk, and to that
/// of the operator ([`observed`](crate::krylov::LinearOperator::observed)). After a stop, the result contains what was
/// computed so far; if that is nothing, it is [`CurvatureError::Stopped`].
///
/// # Reproducibility
///
/// Random vectors depend on the seed and their index only, so that more probes extend a result. They
/// are drawn on the host, so that devices differ by rounding only.
///
/// # Defaults
///
/// Tolerance 1e-4 for eigenpairs and 0.02 for traces, at most 1,000 products, 10 probes of 80 steps (as Ghorbani et al.
/// 2019), confidence 95 %, seed 0.
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
/// let spectrum = Spectrum::of(&hessian).with_seed(3).with_num_probes(4);
/// let density = spectrum.density()?;
/// assert_eq!(density.dimension(), 8);
/// // Two eigenvalues of eight are not zero: one for each output.
/// assert_eq!(spectrum.inertia()?.positive.exact, Some(2));
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
    /// The spectrum of `operator`, without computing anything yet.
    ///
    /// The symmetry of the operator is not tested. The operators of [`curvature`](crate::curvature) test theirs when they
    /// are made; test your operators with [`Symmetric::verified`](crate::krylov::Symmetric::verified).
    pub fn of(operator: &'a A) -> Self {
        Self {
            operator,
            settings: Settings::default(),
        }
    }
}

impl<'a, A: ?Sized> Spectrum<'a, A> {
    /// Sets the largest residual of eigenpairs, relative to the norm of the operator.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.settings.tolerance = tolerance;
        self
    }

    /// Sets the half width at which a [trace](Self::trace) has converged, relative to the trace.
    #[must_use]
    pub fn with_trace_tolerance(mut self, tolerance: f64) -> Self {
        self.settings.trace_tolerance = tolerance;
        self
    }

    /// Sets the limit of products of one question.
    #[must_use]
    pub fn with_max_matvecs(mut self, num_matvecs: usize) -> Self {
        self.settings.max_matvecs = num_matvecs;
        self
    }

    /// Sets the number of basis vectors for eigenpairs; `max(2 k + 20, 40)` by default.
    #[must_use]
    pub fn with_max_basis(mut self, vectors: usize) -> Self {
        self.settings.max_basis = Some(vectors);
        self
    }

    /// Limits the memory of the basis vectors for eigenpairs, those of a restart included, in bytes; a smaller basis
    /// restarts more often. The memory of the operator does not count. Other questions store one vector for each
    /// [step](Self::with_steps).
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_bytes = Some(bytes);
        self
    }

    /// Sets the number of random vectors for densities and traces of layers.
    #[must_use]
    pub fn with_num_probes(mut self, num_probes: usize) -> Self {
        self.settings.num_probes = num_probes;
        self
    }

    /// Sets the number of Lanczos steps from each random vector.
    #[must_use]
    pub fn with_steps(mut self, steps: usize) -> Self {
        self.settings.steps = steps;
        self
    }

    /// Sets the number of outliers, the eigenvalues of largest absolute value, that a [density](Self::density) contains
    /// exactly: they are computed first, and the probes resolve the rest. Zero by default.
    #[must_use]
    pub fn with_outliers(mut self, outliers: usize) -> Self {
        self.settings.outliers = outliers;
        self
    }

    /// Sets the probability with which intervals cover the true value, between 0 and 1.
    #[must_use]
    pub fn with_confidence(mut self, confidence: f64) -> Self {
        self.settings.confidence = confidence;
        self
    }

    /// Sets the largest absolute value of an eigenvalue that counts as zero. The default is the rounding of products,
    /// `8 √n ε |A|`, which scales with the loss; for an estimated [inertia](Self::inertia) it is the resolution of the
    /// steps, `10 |A| / steps²`. With the default, only the zero operator is a plateau: set a size if small curvature
    /// should count as one. Below the rounding, signs are random, and counts are not certain.
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

    /// The size up to which an eigenvalue of an operator of norm `size` counts as zero.
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
