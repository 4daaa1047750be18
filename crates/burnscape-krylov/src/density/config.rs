use super::SpectralDensity;
use crate::{
    Deflated, Eigenpairs, EigenpairsConfig, KrylovFault, LanczosFactorization, Orthonormal,
    Outcome, Probe, SelfAdjoint, Square, Step, VectorBlock, VectorSpace, Which,
};

/// Stochastic Lanczos quadrature: a Lanczos run from each of several random vectors.
///
/// Each run is a Gauss quadrature of the spectral measure at its vector; the mean over the random vectors is an unbiased
/// density of eigenvalues. Vector `i` is the same for any number of probes.
///
/// # Cost
///
/// `probes · steps` products, and a basis of `steps` vectors at a time. Outliers also take a search for eigenpairs, and
/// memory for their vectors.
///
/// # Defaults
///
/// Ten Rademacher probes of eighty steps, as in Ghorbani et al. and PyHessian.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, DensityConfig, Symmetric};
///
/// let values: Vec<f64> = (1..=100).map(f64::from).collect();
/// let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0)?;
/// let density = DensityConfig::new().with_num_probes(4).with_steps(30).run(&a)?;
/// // The mean of the eigenvalues, and of their squares, with standard errors.
/// let (mean, square) = (density.mean_of(|x| x), density.mean_of(|x| x * x));
/// assert!((mean.value - 50.5).abs() < 1e-9);
/// assert!((square.value - 3383.5).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Reference
///
/// Ubaru, Chen, Saad, *Fast estimation of tr f(A) via stochastic Lanczos quadrature*, SIAM J. Matrix
/// Anal. Appl. 38 (2017); Ghorbani, Krishnan, Xiao, ICML 2019.
#[derive(Debug, Clone, PartialEq)]
pub struct DensityConfig {
    num_probes: usize,
    steps: usize,
    outliers: usize,
    seed: u64,
}

impl Default for DensityConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl DensityConfig {
    /// Ten probes of eighty steps.
    pub fn new() -> Self {
        Self {
            num_probes: 10,
            steps: 80,
            outliers: 0,
            seed: 0,
        }
    }

    /// Sets the number of random vectors.
    #[must_use]
    pub fn with_num_probes(mut self, num_probes: usize) -> Self {
        self.num_probes = num_probes;
        self
    }

    /// Sets the number of steps from each.
    #[must_use]
    pub fn with_steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Sets how many outliers, the eigenvalues of largest absolute value, are found first and represented exactly. Those
    /// that do not converge (to 1e-6 of the norm) stay in the bulk. Without the outliers the probes resolve the bulk, and
    /// the mass of an outlier does not depend on the random vectors.
    #[must_use]
    pub fn with_outliers(mut self, outliers: usize) -> Self {
        self.outliers = outliers;
        self
    }

    /// Sets the seed of the random vectors.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs. A run that an observer ends returns the density of the finished probes, or of the steps of the first one.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::NoProbes`] for no probes or no steps, [`KrylovFault::TooMany`] for more outliers
    /// than dimensions, [`KrylovFault::NonFinite`], those of the operator.
    pub fn run<A: SelfAdjoint + ?Sized>(&self, operator: &A) -> Result<SpectralDensity, A::Error> {
        operator.check_square()?;
        if self.outliers == 0 {
            return self.probe(operator, None, 0);
        }
        let found = EigenpairsConfig::new(self.outliers, Which::LargestMagnitude)
            .with_seed(self.seed)
            .run(operator)?;
        if found.outcome == Outcome::Stopped {
            // Pairs alone are no density.
            return Err(KrylovFault::Stopped.into());
        }
        let num_matvecs = found.num_matvecs;
        self.deflated(operator, found.within_goal(), num_matvecs)
    }

    /// As [`run`](Self::run), with outliers that are known already. Each counts as exactly one eigenvalue, and the rest is
    /// estimated from the [deflated](Deflated) operator. The zeros of the deflated operator are not in the density, because
    /// the probes are orthogonal to the vectors. Probes are Gaussian, so that their direction is uniform.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), [`KrylovFault::NotOrthonormal`] for vectors that are not, and
    /// [`KrylovFault::NonFiniteArgument`].
    pub fn run_deflated<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        pairs: &Eigenpairs<<A as Square>::Vector>,
    ) -> Result<SpectralDensity, A::Error> {
        let (values, vectors) = (pairs.values.len(), pairs.vectors.len());
        if values != vectors || values != pairs.residuals.len() {
            return Err(KrylovFault::MissingVectors { values, vectors }.into());
        }
        self.deflated(operator, pairs.clone(), 0)
    }

    /// After `before` products.
    fn deflated<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        pairs: Eigenpairs<<A as Square>::Vector>,
        before: usize,
    ) -> Result<SpectralDensity, A::Error> {
        operator.check_square()?;
        let space = operator.domain();
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        let squares = pairs.residuals.iter().map(|residual| residual * residual);
        let residual = squares.sum::<f64>().sqrt();
        let basis = Orthonormal::<A::Vector>::checked(&space, pairs.vectors)?;
        let outliers = pairs.values;
        for &value in &outliers {
            KrylovFault::ensure_finite("pairs", value)?;
        }
        if basis.len() == dimension {
            let mut density = SpectralDensity::of_outliers(outliers, residual);
            density.num_matvecs = before;
            return Ok(density);
        }
        let block = basis.block().clone();
        let rest = Deflated::new(operator, basis)?;
        let density = self.probe(&rest, Some(&block), before)?;
        Ok(density.with_outliers(outliers, residual))
    }

    /// The density of all probes, of vectors orthogonal to `basis`.
    fn probe<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        basis: Option<&<<A as Square>::Vector as VectorSpace>::Block>,
        before: usize,
    ) -> Result<SpectralDensity, A::Error> {
        for limit in [("num_probes", self.num_probes), ("steps", self.steps)] {
            KrylovFault::ensure_enough(limit, "a density", 1)?;
        }
        let space = operator.domain();
        let law = if basis.is_some() {
            Probe::Gaussian
        } else {
            Probe::Rademacher
        };
        let (mut probes, mut products, mut epsilon) = (Vec::new(), before, 0.0);
        let mut is_stopped = false;
        for index in 0..self.num_probes {
            let mut start = law.draw::<A::Vector>(&space, self.seed, index as u64)?;
            if let Some(basis) = basis {
                // Twice is enough.
                start = basis.project_out(start)?;
                start = basis.project_out(start)?;
            }
            epsilon = start.epsilon();
            // The seed of fresh vectors is never used: quadrature ends with the first space.
            let mut record =
                LanczosFactorization::new(space.clone(), start, self.seed, self.steps)?;
            record.earlier = products;
            while record.len() < self.steps && !record.is_invariant() && !is_stopped {
                match record.grow(operator) {
                    Err(error) if operator.is_stop(&error) && !probes.is_empty() => {
                        is_stopped = true;
                    }
                    grown => grown?,
                }
                is_stopped |= record.is_stopped();
                if !is_stopped {
                    let step = Step::new("density", products + record.num_matvecs());
                    let limit = before.saturating_add(self.num_probes.saturating_mul(self.steps));
                    is_stopped = operator.report(&step.with_limit(limit)).is_break();
                }
            }
            products += record.num_matvecs();
            let is_whole = record.is_invariant() || record.len() == self.steps;
            // A part of a probe is better than nothing.
            if is_whole || probes.is_empty() {
                probes.extend(record.quadrature().zip(record.jacobi()));
            }
            if is_stopped {
                break;
            }
        }
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        let is_cut_short = is_stopped && probes.len() < self.num_probes;
        let mut density = SpectralDensity::new(probes, epsilon, (dimension, products));
        density.is_stopped = is_cut_short;
        Ok(density)
    }
}
