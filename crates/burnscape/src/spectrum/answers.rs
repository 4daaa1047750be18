use burnscape_krylov::{
    DensityConfig, DiagonalConfig, DiagonalEstimate, Eigenpairs, EigenpairsConfig, SelfAdjoint,
    SpectralDensity, TraceConfig, TraceEstimate, Which,
};

use super::Spectrum;
use crate::curvature::CurvatureError;
use crate::space::ParamVector;

/// The answers that `burnscape_krylov` gives, with the settings of the spectrum.
impl<A> Spectrum<'_, A>
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
{
    /// The `k` largest eigenvalues with their vectors, by Lanczos with thick restarts. Largest with their
    /// sign: −9 comes after 1.
    ///
    /// # Cost
    ///
    /// Products until the residuals are within the tolerance, `k` more to measure residuals, and no more than the
    /// limit in all (but for `k` more if that is below them). The [vectors of the basis](Self::with_max_basis), and
    /// two fifths as many again during a restart.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::Krylov`] for no pairs or more than parameters, a tolerance that is not positive, too
    /// few vectors or bytes, a product that is not finite; [`CurvatureError::Stopped`].
    pub fn top_eigenpairs(&self, k: usize) -> Result<Eigenpairs<ParamVector>, CurvatureError> {
        self.eigenpairs(k, Which::Largest)
    }

    /// The `k` smallest eigenvalues (the most negative first) with their vectors.
    ///
    /// # Errors
    ///
    /// As [`top_eigenpairs`](Self::top_eigenpairs).
    pub fn bottom_eigenpairs(&self, k: usize) -> Result<Eigenpairs<ParamVector>, CurvatureError> {
        self.eigenpairs(k, Which::Smallest)
    }

    fn eigenpairs(
        &self,
        k: usize,
        which: Which,
    ) -> Result<Eigenpairs<ParamVector>, CurvatureError> {
        let settings = &self.settings;
        let mut config = EigenpairsConfig::new(k, which)
            .with_tolerance(settings.tolerance)
            .with_max_matvecs(settings.max_matvecs)
            .with_seed(settings.seed);
        if let Some(vectors) = settings.max_basis {
            config = config.with_max_basis(vectors);
        }
        if let Some(bytes) = settings.max_bytes {
            config = config.with_max_bytes(bytes);
        }
        config.run(self.operator)
    }

    /// The sum of the eigenvalues, by Hutchinson's method with Rademacher vectors or
    /// [another](Self::with_trace_method): products are taken until half the interval is within
    /// [its tolerance](Self::with_trace_tolerance) of the trace, or the limit of products is reached.
    ///
    /// # Cost
    ///
    /// Products up to the limit, 24 at least; two vectors of parameters for Hutchinson's method, as many
    /// as products for some others. The half width falls as one over the root of the products there: ten
    /// times the accuracy takes a hundred times the products.
    /// [`with_probes`](Self::with_probes) does not count here.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::Krylov`] for a limit of no products, a tolerance or a confidence out of range,
    /// a product that is not finite; [`CurvatureError::Stopped`].
    pub fn trace(&self) -> Result<TraceEstimate, CurvatureError> {
        let settings = &self.settings;
        TraceConfig::new()
            .with_method(settings.trace_method)
            .with_max_matvecs(settings.max_matvecs)
            .with_tolerance(settings.trace_tolerance)
            .with_confidence(settings.confidence)
            .with_seed(settings.seed)
            .run(self.operator)
    }

    /// The diagonal from `probes` products, as the mean of `v ⊙ A v` over Rademacher vectors or by
    /// [another method](Self::with_diagonal_method). The variance of an entry is then the sum of the
    /// squares of its row off the diagonal, over the number of probes: exact where the operator is
    /// diagonal.
    ///
    /// # Cost
    ///
    /// `probes` products; five vectors of parameters.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::Krylov`] for no probes, or a product that is not finite; [`CurvatureError::Stopped`].
    pub fn diagonal(&self) -> Result<DiagonalEstimate<ParamVector>, CurvatureError> {
        DiagonalConfig::new()
            .with_method(self.settings.diagonal_method)
            .with_max_matvecs(self.settings.probes)
            .with_seed(self.settings.seed)
            .run(self.operator)
    }

    /// The density of the eigenvalues, by stochastic Lanczos quadrature.
    ///
    /// # Cost
    ///
    /// `probes · steps` products, fewer where a run is exhausted before; `steps` vectors of parameters.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::Krylov`] for no probes or no steps, or a product that is not finite;
    /// [`CurvatureError::Stopped`].
    pub fn density(&self) -> Result<SpectralDensity, CurvatureError> {
        let settings = &self.settings;
        DensityConfig::new()
            .with_probes(settings.probes)
            .with_steps(settings.steps.min(self.dimension()))
            .with_outliers(settings.outliers)
            .with_seed(settings.seed)
            .run(self.operator)
    }
}
