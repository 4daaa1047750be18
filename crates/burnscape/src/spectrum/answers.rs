use burnscape_krylov::{
    DensityConfig, Eigenpairs, EigenpairsConfig, SelfAdjoint, SpectralDensity, TraceConfig,
    TraceEstimate, Which,
};

use super::Spectrum;
use crate::curvature::CurvatureError;
use crate::space::ParamVector;

/// Questions that a method of `burnscape_krylov` answers.
impl<A> Spectrum<'_, A>
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
{
    /// The `k` largest eigenvalues with their vectors, by Lanczos with thick restarts. Eigenvalues are compared with
    /// their signs: 1 is larger than −9.
    ///
    /// # Cost
    ///
    /// Products until the residuals are within the tolerance, including `k` to measure residuals, and no more than the
    /// limit (or `k`, if the limit is smaller). The [vectors of the basis](Self::with_max_basis), and two fifths more
    /// during a restart.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::Krylov`] if `k` is zero or larger than the number of parameters, the tolerance is not positive,
    /// the basis has too few vectors or bytes, or a product is not finite; [`CurvatureError::Stopped`].
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

    /// The sum of the eigenvalues, by Hutchinson's method with Rademacher vectors, until half the width of the interval
    /// is within [its tolerance](Self::with_trace_tolerance), or to the limit of products.
    /// [`TraceConfig`](crate::krylov::TraceConfig) has other methods.
    ///
    /// # Cost
    ///
    /// At most the limit; a run can converge after 24 products or more. Two vectors of parameters. The half width
    /// decreases with the root of the number of products: ten times the accuracy takes a hundred times the products.
    /// [`with_num_probes`](Self::with_num_probes) has no effect.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::Krylov`] for a limit of no products, a tolerance or a confidence out of range,
    /// a product that is not finite; [`CurvatureError::Stopped`].
    pub fn trace(&self) -> Result<TraceEstimate, CurvatureError> {
        let settings = &self.settings;
        TraceConfig::new()
            .with_max_matvecs(settings.max_matvecs)
            .with_tolerance(settings.trace_tolerance)
            .with_confidence(settings.confidence)
            .with_seed(settings.seed)
            .run(self.operator)
    }

    /// The density of the eigenvalues, by stochastic Lanczos quadrature.
    ///
    /// # Cost
    ///
    /// `probes · steps` products, fewer if a run exhausts its space; `steps` vectors of parameters.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::Krylov`] for no probes or no steps, or a product that is not finite;
    /// [`CurvatureError::Stopped`].
    pub fn density(&self) -> Result<SpectralDensity, CurvatureError> {
        let settings = &self.settings;
        DensityConfig::new()
            .with_num_probes(settings.num_probes)
            .with_steps(settings.steps.min(self.dimension()))
            .with_outliers(settings.outliers)
            .with_seed(settings.seed)
            .run(self.operator)
    }
}
