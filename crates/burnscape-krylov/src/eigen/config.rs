use super::block::BlockLanczos;
use super::davidson::Davidson;
use super::lanczos::ThickRestart;
use super::lobpcg::Lobpcg;
use super::power::Power;
use super::{EigenMethod, Eigenpairs, ResidualKind, Which};
use crate::{KrylovFault, SelfAdjoint, Square};

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
/// | [`with_residuals`](Self::with_residuals) | measured | | | | |
/// | [`with_verification`](Self::with_verification) | off | | | | |
/// | [`with_block`](Self::with_block) | | min(k, 4) | | | |
/// | [`with_guards`](Self::with_guards) | | | 2 | | |
/// | [`with_extra`](Self::with_extra) | | | | 0 | |
/// | preconditioner | | | yes | | |
///
/// The defaults are ours. The tolerance is at least 32 ε of the vectors.
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
    k: usize,
    which: Which,
    method: EigenMethod,
    tolerance: Option<f64>,
    max_matvecs: Option<usize>,
    max_basis: Option<usize>,
    max_bytes: Option<usize>,
    residuals: Option<ResidualKind>,
    is_verified: bool,
    block: Option<usize>,
    guards: Option<usize>,
    extra: Option<usize>,
    seed: u64,
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
            residuals: None,
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

    /// Sets whether residuals are measured, with a product each, or estimated.
    #[must_use]
    pub fn with_residuals(mut self, residuals: ResidualKind) -> Self {
        self.residuals = Some(residuals);
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

    /// Sets how many pairs more than `k` LOBPCG iterates, so that the last one wanted is not slowed down by its
    /// neighbors and copies of it are seen.
    #[must_use]
    pub fn with_guards(mut self, guards: usize) -> Self {
        self.guards = Some(guards);
        self
    }

    /// Sets how many Ritz pairs more than `k` Davidson returns, converged or not: starts for the next run.
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

    /// Runs from random vectors. A run that an observer ends has the pairs that it found; their residuals are measured
    /// (a product each) unless the observer ends those products as well.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::UnusedSetting`], [`KrylovFault::TooMany`] for more pairs than dimensions or a block of none,
    /// [`KrylovFault::BasisTooSmall`], [`KrylovFault::MemoryTooSmall`], [`KrylovFault::InvalidTolerance`],
    /// [`KrylovFault::NonFinite`], [`KrylovFault::ProductCount`], and those of the operator.
    pub fn run<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<Eigenpairs<A::Vector>, A::Error> {
        self.run_from(operator, &[])
    }

    /// As [`run`](Self::run), from the eigenvectors of an operator much like this one: a warm start, as for the Hessian
    /// some steps of training later. The vectors need not be orthonormal.
    ///
    /// Lanczos starts from the sum of the vectors and a random part of 1 % of its norm, so that a pair that was
    /// not among the old ones can be found. It takes about `k` products to tell the old pairs apart, and then as many
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
        match self.method {
            EigenMethod::Lanczos => {
                let report = &mut |step| operator.report(&step);
                self.lanczos().run(operator, starts, report)
            }
            EigenMethod::Block => self.block().run(operator, starts),
            EigenMethod::Lobpcg => self.lobpcg().run(operator, starts, None::<&A>),
            EigenMethod::Davidson => self.davidson().run(operator, starts),
            EigenMethod::Power => self.power().run(operator, starts),
        }
    }

    /// As [`run_from`](Self::run_from), by LOBPCG with a preconditioner: a positive definite operator close to the
    /// inverse of `A − λ`, for `λ` at the wanted end.
    ///
    /// # Errors
    ///
    /// As [`run_from`](Self::run_from), [`KrylovFault::NonFinitePreconditioner`], and [`KrylovFault::UnusedSetting`] for
    /// another method.
    pub fn run_preconditioned<A, P>(
        &self,
        operator: &A,
        starts: &[<A as Square>::Vector],
        preconditioner: &P,
    ) -> Result<Eigenpairs<<A as Square>::Vector>, A::Error>
    where
        A: SelfAdjoint + ?Sized,
        P: SelfAdjoint<Vector = <A as Square>::Vector, Error = A::Error> + ?Sized,
    {
        self.check()?;
        if self.method != EigenMethod::Lobpcg {
            return Err(self.unused("preconditioner").into());
        }
        self.lobpcg().run(operator, starts, Some(preconditioner))
    }

    /// Refuses settings that the method cannot use.
    fn check(&self) -> Result<(), KrylovFault> {
        use EigenMethod::{Block, Davidson, Lanczos, Lobpcg, Power};
        let is = |methods: &[EigenMethod]| methods.contains(&self.method);
        for (setting, is_set, is_used) in [
            ("max_basis", self.max_basis.is_some(), is(&[Lanczos, Block])),
            ("max_bytes", self.max_bytes.is_some(), is(&[Lanczos])),
            ("residuals", self.residuals.is_some(), is(&[Lanczos])),
            ("verification", self.is_verified, is(&[Lanczos])),
            ("block", self.block.is_some(), is(&[Block])),
            ("guards", self.guards.is_some(), is(&[Lobpcg])),
            ("extra", self.extra.is_some(), is(&[Davidson])),
            (
                "which",
                self.which != Which::LargestMagnitude,
                !is(&[Power]),
            ),
        ] {
            if is_set && !is_used {
                return Err(self.unused(setting));
            }
        }
        Ok(())
    }

    fn unused(&self, setting: &'static str) -> KrylovFault {
        KrylovFault::UnusedSetting {
            setting,
            method: self.method.name(),
        }
    }

    fn basis(&self) -> usize {
        self.k.saturating_mul(2).saturating_add(20).max(40)
    }

    pub(crate) fn lanczos(&self) -> ThickRestart {
        ThickRestart {
            k: self.k,
            which: self.which,
            tolerance: self.tolerance.unwrap_or(1e-6),
            max_basis: self.max_basis.unwrap_or(self.basis()),
            max_matvecs: self.max_matvecs.unwrap_or(1000),
            max_bytes: self.max_bytes,
            residuals: self.residuals.unwrap_or_default(),
            is_verified: self.is_verified,
            seed: self.seed,
        }
    }

    fn block(&self) -> BlockLanczos {
        let block = self.block.unwrap_or(self.k.clamp(1, 4));
        let fewest = self.k.saturating_add(block.saturating_mul(4));
        // A block of the default size fits into the basis of the others.
        let basis = if self.block.is_some() {
            self.basis().max(fewest)
        } else {
            self.basis()
        };
        BlockLanczos {
            k: self.k,
            which: self.which,
            block,
            tolerance: self.tolerance.unwrap_or(1e-6),
            max_basis: self.max_basis.unwrap_or(basis),
            max_matvecs: self.max_matvecs.unwrap_or(1000),
            seed: self.seed,
        }
    }

    fn lobpcg(&self) -> Lobpcg {
        Lobpcg {
            k: self.k,
            which: self.which,
            guards: self.guards.unwrap_or(2),
            tolerance: self.tolerance.unwrap_or(1e-6),
            max_matvecs: self.max_matvecs.unwrap_or(1000),
            seed: self.seed,
        }
    }

    fn davidson(&self) -> Davidson {
        Davidson {
            k: self.k,
            which: self.which,
            extra: self.extra.unwrap_or(0),
            tolerance: self.tolerance.unwrap_or(1e-6),
            max_matvecs: self.max_matvecs.unwrap_or(100),
            seed: self.seed,
        }
    }

    fn power(&self) -> Power {
        Power {
            k: self.k,
            tolerance: self.tolerance.unwrap_or(1e-3),
            max_matvecs: self.max_matvecs.unwrap_or(1000),
            seed: self.seed,
        }
    }
}
