use std::ops::ControlFlow;

use super::SpectralDensity;
use crate::error::raise;
use crate::{KrylovError, LanczosConfig, LanczosStep, Probe, SelfAdjoint, VectorSpace};

/// Stochastic Lanczos quadrature: a Lanczos run from each of several random vectors.
///
/// Each run gives a Gauss quadrature of the spectral measure at its vector; their mean is the density
/// of eigenvalues, unbiased over the draws. Which vectors are drawn does not depend on how many are.
///
/// # Cost
///
/// `probes · steps` products, and a basis of `steps` vectors at a time.
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
    /// [`KrylovError::NoProbes`] for no probes or no steps, [`KrylovError::NonFinite`],
    /// [`KrylovError::Operator`].
    pub fn run<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<SpectralDensity, KrylovError<A::Error>> {
        self.run_observed(operator, |_, _| ControlFlow::Continue(()))
    }

    /// As [`run`](Self::run); `observe` sees the index of the probe with every step, and can stop: the
    /// density is then that of the probes that were finished, the broken one left out.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and [`KrylovError::NoProbes`] if not even one was finished.
    pub fn run_observed<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        mut observe: impl FnMut(usize, &LanczosStep) -> ControlFlow<()>,
    ) -> Result<SpectralDensity, KrylovError<A::Error>> {
        operator.check_square()?;
        let space = operator.domain();
        let mut probes = Vec::with_capacity(self.probes);
        let mut products = 0;
        for index in 0..self.probes {
            let start = Probe::Rademacher.draw::<A::Vector>(&space, self.seed, index as u64);
            let mut stopped = false;
            // The seed of fresh vectors is never used: quadrature ends with the first space.
            let run = LanczosConfig::new(self.steps).with_seed(self.seed);
            let record = run.run_from(operator, start.map_err(raise)?, |step| {
                stopped = observe(index, step).is_break();
                let is_exhausted = step.beta == 0.0;
                match stopped || is_exhausted {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            })?;
            products += record.products();
            let is_whole = record.is_invariant() || record.len() == self.steps;
            if is_whole {
                probes.extend(record.quadrature());
            }
            if stopped {
                break;
            }
        }
        if probes.is_empty() {
            return Err(KrylovError::NoProbes);
        }
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        Ok(SpectralDensity::new(probes, dimension, products))
    }
}
