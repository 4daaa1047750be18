use std::ops::ControlFlow;

use super::{EigenMethod, Eigenpairs, Which};
use crate::{KrylovFault, SelfAdjoint, Square, Step, VectorSpace};

/// The outermost eigenpairs of a self-adjoint operator.
///
/// [`EigenMethod`] names the methods; Lanczos is the default and takes the fewest products in most cases. A setting
/// that the chosen method cannot use is refused.
///
/// | setting | Lanczos | Block | Lobpcg | Davidson | Power |
/// |---|---|---|---|---|---|
/// | tolerance | 1e-6 | 1e-6 | 1e-6 | 1e-6 | 1e-3 |
/// | [`with_max_matvecs`](Self::with_max_matvecs) | 1,000 | 1,000 | 1,000 | 100 | 1,000 |
/// | [`with_max_basis`](Self::with_max_basis) | max(2 k + 20, 40) | the same, at least k + 4 block | | | |
/// | [`with_max_bytes`](Self::with_max_bytes) | no cap | | | | |
/// | [`with_estimated_residuals`](Self::with_estimated_residuals) | off | | | | |
/// | [`with_verification`](Self::with_verification) | off | | | | |
/// | [`with_block`](Self::with_block) | | min(k, 4) | | | |
/// | [`with_guards`](Self::with_guards) | | | 2 | | |
/// | [`with_extra`](Self::with_extra) | | | | 0 | |
///
/// The defaults are ours. The tolerance is at least 32 ε of the vectors. LOBPCG uses the preconditioner of a
/// [`Preconditioned`](crate::Preconditioned) operator; the other methods ignore it.
///
/// # Convergence
///
/// A run has converged when all residuals are at most `tolerance · |A|`, with the largest Ritz value met for `|A|`,
/// and the values have settled. Where an eigenvalue far out at the other end makes that goal larger than the distances
/// at this end, the residuals must be small relative to those distances as well. The error of an eigenvalue is at most
/// the residual, and near residual² over the gap to the rest: a tolerance of 1e-3 gives most eigenvalues to 1e-5.
/// Whether an eigenvalue further out may have been missed depends on the [method](EigenMethod).
///
/// # Reproducibility
///
/// Random vectors are [`Probe::Gaussian`](crate::Probe::Gaussian) draws of the seed.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, EigenMethod, EigenpairsConfig, Symmetric, Which};
///
/// let values: Vec<f64> = (0..200).map(f64::from).collect();
/// let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0)?;
/// let top = EigenpairsConfig::new(3, Which::Largest).with_max_basis(20).run(&a)?;
/// assert!(top.outcome.is_converged());
/// let found: Vec<f64> = top.values.iter().map(|value| value.round()).collect();
/// assert_eq!(found, [199.0, 198.0, 197.0]);
///
/// let bottom = EigenpairsConfig::new(2, Which::Smallest).with_method(EigenMethod::Lobpcg);
/// assert!((bottom.run(&a)?.values[1] - 1.0).abs() < 1e-6);
/// // LOBPCG keeps no basis.
/// assert!(bottom.with_max_basis(20).run(&a).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct EigenpairsConfig {
    pub(super) k: usize,
    pub(super) which: Which,
    method: EigenMethod,
    tolerance: Option<f64>,
    max_matvecs: Option<usize>,
    max_basis: Option<usize>,
    pub(super) max_bytes: Option<usize>,
    pub(super) has_estimates: bool,
    pub(super) is_verified: bool,
    block: Option<usize>,
    guards: Option<usize>,
    extra: Option<usize>,
    pub(super) seed: u64,
}

impl EigenpairsConfig {
    /// The `k` outermost pairs, by Lanczos.
    pub fn new(k: usize, which: Which) -> Self {
        Self {
            k,
            which,
            method: EigenMethod::Lanczos,
            tolerance: None,
            max_matvecs: None,
            max_basis: None,
            max_bytes: None,
            has_estimates: false,
            is_verified: false,
            block: None,
            guards: None,
            extra: None,
            seed: 0,
        }
    }

    /// Sets the method.
    #[must_use]
    pub fn with_method(mut self, method: EigenMethod) -> Self {
        self.method = method;
        self
    }

    /// Sets the tolerance, relative to the norm of the operator. The power iteration also requires residuals of at most
    /// 0.2 % of their own eigenvalue.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// Sets the limit of products, those for measured residuals included. A run that reaches it returns the pairs it
    /// has. Block Lanczos makes at least two blocks, LOBPCG at least one.
    #[must_use]
    pub fn with_max_matvecs(mut self, num_matvecs: usize) -> Self {
        self.max_matvecs = Some(num_matvecs);
        self
    }

    /// Sets how many vectors the basis may have: at least `k + 2`, for Block `k + 2 block`.
    #[must_use]
    pub fn with_max_basis(mut self, vectors: usize) -> Self {
        self.max_basis = Some(vectors);
        self
    }

    /// Caps the memory of the run's vectors, those of a restart included, in bytes. The basis becomes
    /// as much smaller as that needs. Memory of the operator does not count, nor do the vectors of a warm
    /// start, which are needed only until the first product.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Sets whether the residuals `|A v − θ v|` are estimated by the recurrence of Lanczos, without products, instead of
    /// measured by a product each. Off by default: a measured residual does not depend on the method. Estimates are as
    /// accurate as the products, because the basis is orthonormal to rounding; ARPACK reports them.
    #[must_use]
    pub fn with_estimated_residuals(mut self, has_estimates: bool) -> Self {
        self.has_estimates = has_estimates;
        self
    }

    /// Sets whether to search again, from a fresh vector in the complement of the pairs that were found, for
    /// eigenvalues that the first vector did not show: further copies of a multiple eigenvalue, members of
    /// a cluster narrower than the goal, pairs in which a warm start had no part. Off by default. The search continues
    /// until one more eigenvalue as far out as the last one wanted would have been seen with a probability of
    /// 99.9 %, and starts anew when it finds one. The run then takes 1.7 to 1.9 times the products where no
    /// copy is found (means over spectra with far ends), and about as many again for every copy.
    #[must_use]
    pub fn with_verification(mut self, is_verified: bool) -> Self {
        self.is_verified = is_verified;
        self
    }

    /// Sets how many vectors Block Lanczos multiplies at once.
    #[must_use]
    pub fn with_block(mut self, vectors: usize) -> Self {
        self.block = Some(vectors);
        self
    }

    /// Sets how many pairs beyond `k` LOBPCG iterates: the last wanted pair then converges faster, and copies of it are
    /// found.
    #[must_use]
    pub fn with_guards(mut self, guards: usize) -> Self {
        self.guards = Some(guards);
        self
    }

    /// Sets how many Ritz pairs beyond `k` Davidson returns, converged or not, as starts for the next run.
    #[must_use]
    pub fn with_extra(mut self, pairs: usize) -> Self {
        self.extra = Some(pairs);
        self
    }

    /// Sets the seed of random vectors.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs from random vectors. A run that an observer ends returns the pairs so far, with estimated residuals.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::UnusedSetting`], [`KrylovFault::LargestMagnitudeOnly`], [`KrylovFault::TooMany`] for more pairs than dimensions or a block of none,
    /// [`KrylovFault::BasisTooSmall`], [`KrylovFault::MemoryTooSmall`], [`KrylovFault::OutOfBounds`] for the tolerance,
    /// [`KrylovFault::NonFinite`], [`KrylovFault::ProductCount`], and those of the operator.
    pub fn run<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<Eigenpairs<A::Vector>, A::Error> {
        self.run_from(operator, &[])
    }

    /// As [`run`](Self::run), from the eigenvectors of a similar operator: a warm start, for example for the Hessian a few
    /// training steps later. The vectors need not be orthonormal.
    ///
    /// Lanczos starts from the sum of the vectors and a random part of 1 % of its norm, so that a pair that was
    /// not among the old ones can be found. It takes about `k` products to separate the old pairs, and then as many
    /// as the change of the operator requires. Block, LOBPCG and Davidson start from all of the vectors; Power uses them
    /// one after the other.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_krylov::{Dense, EigenpairsConfig, Scaled, Symmetric, Which};
    ///
    /// let values: Vec<f64> = (1..=300).map(|i| 1.0 / f64::from(i)).collect();
    /// let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0)?;
    /// let config = EigenpairsConfig::new(1, Which::Largest).with_tolerance(1e-4);
    /// let cold = config.run(&a)?;
    /// let later = Scaled::new(&a, 1.1)?;
    /// let warm = config.run_from(&later, &cold.vectors)?;
    /// assert!(warm.outcome.is_converged() && warm.num_matvecs < cold.num_matvecs);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and [`KrylovFault::NonFiniteArgument`] for a vector that is not finite. (Davidson
    /// leaves such a vector out.)
    pub fn run_from<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        starts: &[<A as Square>::Vector],
    ) -> Result<Eigenpairs<A::Vector>, A::Error> {
        self.check()?;
        let space = operator.domain();
        let starts = starts.iter().map(|start| start.clone().adopted(&space));
        let starts = starts.collect::<Result<Vec<_>, _>>()?;
        self.search(operator, &starts, &mut |step| operator.report(&step))
    }

    /// As [`run_from`](Self::run_from), without the check of settings; Lanczos calls `report` in place of the observer.
    pub(crate) fn search<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        starts: &[<A as Square>::Vector],
        report: &mut dyn FnMut(Step) -> ControlFlow<()>,
    ) -> Result<Eigenpairs<A::Vector>, A::Error> {
        operator.check_square()?;
        let dimension = <A::Vector as VectorSpace>::dimension(&operator.domain());
        let available = if self.method == EigenMethod::Davidson {
            dimension.min(self.max_matvecs())
        } else {
            dimension
        };
        if self.k > available || self.k == 0 {
            return Err(KrylovFault::TooMany {
                name: "eigenpairs",
                asked: self.k,
                available,
            }
            .into());
        }
        match self.method {
            EigenMethod::Lanczos => self.lanczos(operator, starts, report),
            EigenMethod::Block => self.block_lanczos(operator, starts),
            EigenMethod::Lobpcg => self.lobpcg(operator, starts),
            EigenMethod::Davidson => self.davidson(operator, starts),
            EigenMethod::Power => self.power(operator, starts),
        }
    }

    /// Refuses settings that the method cannot use.
    fn check(&self) -> Result<(), KrylovFault> {
        use EigenMethod::{Block, Davidson, Lanczos, Lobpcg, Power};
        let is = |methods: &[EigenMethod]| methods.contains(&self.method);
        for (setting, is_set, is_used) in [
            ("max_basis", self.max_basis.is_some(), is(&[Lanczos, Block])),
            ("max_bytes", self.max_bytes.is_some(), is(&[Lanczos])),
            ("estimated_residuals", self.has_estimates, is(&[Lanczos])),
            ("verification", self.is_verified, is(&[Lanczos])),
            ("block", self.block.is_some(), is(&[Block])),
            ("guards", self.guards.is_some(), is(&[Lobpcg])),
            ("extra", self.extra.is_some(), is(&[Davidson])),
        ] {
            if is_set && !is_used {
                return Err(KrylovFault::UnusedSetting {
                    setting,
                    method: self.method.name(),
                });
            }
        }
        if is(&[Power]) && self.which != Which::LargestMagnitude {
            return Err(KrylovFault::LargestMagnitudeOnly);
        }
        KrylovFault::ensure_positive("tolerance", self.tolerance())
    }

    pub(super) fn tolerance(&self) -> f64 {
        let is_power = self.method == EigenMethod::Power;
        self.tolerance.unwrap_or(if is_power { 1e-3 } else { 1e-6 })
    }

    pub(super) fn max_matvecs(&self) -> usize {
        let is_davidson = self.method == EigenMethod::Davidson;
        self.max_matvecs
            .unwrap_or(if is_davidson { 100 } else { 1000 })
    }

    pub(super) fn max_basis(&self) -> usize {
        let basis = self.k.saturating_mul(2).saturating_add(20).max(40);
        // A block of the default size fits into the basis of Lanczos.
        let fewest = self
            .block
            .map_or(0, |block| self.k.saturating_add(block.saturating_mul(4)));
        self.max_basis.unwrap_or(basis.max(fewest))
    }

    pub(super) fn block(&self) -> usize {
        self.block.unwrap_or(self.k.min(4))
    }

    pub(super) fn guards(&self) -> usize {
        self.guards.unwrap_or(2)
    }

    pub(super) fn extra(&self) -> usize {
        self.extra.unwrap_or(0)
    }
}
