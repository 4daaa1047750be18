use super::SpectralDensity;
use crate::error::raise;
use crate::{
    Deflated, Eigenpair, EigenpairsConfig, End, KrylovError, KrylovRecord, Orthonormal, Outcome,
    Probe, SelfAdjoint, Square, Step, VectorBlock, VectorSpace,
};

/// Stochastic Lanczos quadrature: a Lanczos run from each of several random vectors.
///
/// Each run gives a Gauss quadrature of the spectral measure at its vector; their mean is the density
/// of eigenvalues, unbiased over the draws. Which vectors are drawn does not depend on how many are.
///
/// # Cost
///
/// `probes · steps` products, and a basis of `steps` vectors at a time. Outliers take a search for
/// eigenpairs besides, and their vectors.
///
/// # Defaults
///
/// Ten probes of eighty steps, as Ghorbani et al. and PyHessian have it, Rademacher.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, DensityConfig, Symmetric};
///
/// let values: Vec<f64> = (1..=100).map(f64::from).collect();
/// let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0)?;
/// let density = DensityConfig::new().with_probes(4).with_steps(30).run(&a)?;
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
    probes: usize,
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
            probes: 10,
            steps: 80,
            outliers: 0,
            seed: 0,
        }
    }

    /// Sets the number of random vectors.
    #[must_use]
    pub fn with_probes(mut self, probes: usize) -> Self {
        self.probes = probes;
        self
    }

    /// Sets the number of steps from each.
    #[must_use]
    pub fn with_steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Sets how many outliers, the largest absolute values, to find first and take out exactly. Those that
    /// do not converge (to 1e-6 of the norm) stay in the bulk. With the outliers gone, the probes resolve
    /// the bulk, and the mass of an outlier is not left to chance.
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

    /// Runs. A run that an observer ends has the density of the probes that were finished, or of the first one as far
    /// as it came.
    ///
    /// # Errors
    ///
    /// [`KrylovError::NoProbes`] for no probes or no steps, [`KrylovError::TooMany`] for more outliers
    /// than dimensions, [`KrylovError::NonFinite`], [`KrylovError::Operator`].
    pub fn run<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<SpectralDensity, KrylovError<A::Error>> {
        operator.check_square()?;
        if self.outliers == 0 {
            return self.probe(operator, None, 0);
        }
        let found = EigenpairsConfig::new(self.outliers, End::Magnitude)
            .with_seed(self.seed)
            .run(operator)?;
        if found.outcome == Outcome::Stopped {
            // Pairs alone are no density.
            return Err(KrylovError::Stopped);
        }
        // A pair that has not converged stays in the bulk.
        let pairs = found.pairs.into_iter();
        let pairs: Vec<_> = pairs.filter(|pair| pair.residual <= found.goal).collect();
        self.deflated(operator, &pairs, found.products)
    }

    /// As [`run`](Self::run), with eigenpairs that are known already taken out: each
    /// counts as one eigenvalue exactly, and the rest is estimated on what is left of the operator. The
    /// zeros that [`Deflated`] has instead of them are not in the density: the probes are orthogonal to
    /// the vectors, and stay so. Probes are Gaussian, so that their direction is uniform there.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), [`KrylovError::NotOrthonormal`] for vectors that are not, and
    /// [`KrylovError::NonFiniteArgument`].
    pub fn run_deflated<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        pairs: &[Eigenpair<<A as Square>::Vector>],
    ) -> Result<SpectralDensity, KrylovError<A::Error>> {
        self.deflated(operator, pairs, 0)
    }

    /// After `before` products.
    fn deflated<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        pairs: &[Eigenpair<<A as Square>::Vector>],
        before: usize,
    ) -> Result<SpectralDensity, KrylovError<A::Error>> {
        operator.check_square()?;
        let space = operator.domain();
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        let vectors = pairs.iter().map(|pair| pair.vector.clone()).collect();
        let block =
            <<A::Vector as VectorSpace>::Block as VectorBlock>::from_vectors(&space, vectors);
        let basis = Orthonormal::<A::Vector>::from_block_of(block.map_err(raise)?)?;
        let outliers: Vec<f64> = pairs.iter().map(|pair| pair.value).collect();
        let squares = pairs.iter().map(|pair| pair.residual * pair.residual);
        let residual = squares.sum::<f64>().sqrt();
        if let Some(&value) = outliers.iter().find(|value| !value.is_finite()) {
            return Err(KrylovError::NonFiniteArgument {
                name: "pairs",
                value,
            });
        }
        if basis.len() == dimension {
            let density = SpectralDensity::of_outliers(outliers, residual);
            return Ok(density.with_products(before));
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
    ) -> Result<SpectralDensity, KrylovError<A::Error>> {
        let space = operator.domain();
        let law = if basis.is_some() {
            Probe::Gaussian
        } else {
            Probe::Rademacher
        };
        let (mut probes, mut products, mut epsilon) = (Vec::new(), before, 0.0);
        let mut is_stopped = false;
        for index in 0..self.probes {
            let start = law.draw::<A::Vector>(&space, self.seed, index as u64);
            let mut start = start.map_err(raise)?;
            if let Some(basis) = basis {
                // Twice is enough.
                start = basis.reject(start).map_err(raise)?;
                start = basis.reject(start).map_err(raise)?;
            }
            epsilon = start.epsilon();
            // The seed of fresh vectors is never used: quadrature ends with the first space.
            let mut record = KrylovRecord::new(start, self.seed, self.steps)?;
            while record.len() < self.steps && !record.is_invariant() && !is_stopped {
                match record.grow(operator) {
                    Err(error) if error.is_stop(operator) && !probes.is_empty() => {
                        is_stopped = true;
                    }
                    grown => grown.map_err(|error| later(error, products))?,
                }
                is_stopped |= record.is_stopped();
                if !is_stopped {
                    let step = Step::new("density", products + record.products());
                    let limit = before.saturating_add(self.probes.saturating_mul(self.steps));
                    is_stopped = operator.report(&step.with_limit(limit)).is_break();
                }
            }
            products += record.products();
            let is_whole = record.is_invariant() || record.len() == self.steps;
            // A part of a probe is better than nothing.
            if is_whole || probes.is_empty() {
                probes.extend(record.quadrature().zip(record.jacobi()));
            }
            if is_stopped {
                break;
            }
        }
        match probes.is_empty() {
            true => Err(KrylovError::NoProbes),
            false => {
                let dimension = <A::Vector as VectorSpace>::dimension(&space);
                let about = (dimension, products);
                let is_cut_short = is_stopped && probes.len() < self.probes;
                let density = SpectralDensity::new(probes, epsilon, about);
                Ok(density.with_stop(is_cut_short))
            }
        }
    }
}

/// The same failure, counted over all products.
fn later<E>(error: KrylovError<E>, before: usize) -> KrylovError<E> {
    match error {
        KrylovError::NonFinite { product } => KrylovError::NonFinite {
            product: before + product,
        },
        other => other,
    }
}
