use std::ops::ControlFlow;

use super::record::outermost;
use super::{Eigenpair, End, KrylovRecord, LanczosStep};
use crate::error::raise;
use crate::{KrylovError, Probe, SelfAdjoint, VectorSpace};

/// The outermost eigenpairs of one end, by Lanczos with thick restarts.
///
/// The run stops when the estimated residuals of all `k` pairs are at most `tolerance · |A|`, with
/// `|A|` the largest Ritz value met, or at the limit of products; true residuals are then measured.
/// When the basis is full, the best Ritz vectors are kept and the rest is let go.
///
/// # Cost
///
/// Products, as the result tells; at most `max_basis` vectors in memory, and as many again while a
/// restart turns the basis.
///
/// # Defaults
///
/// Tolerance 1e-6 (or 32 ε of the vectors, if that is more), a basis of `max(2 k + 20, 40)`, at most
/// 1,000 products, ours.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, EigenpairsConfig, End, Symmetric};
///
/// let values: Vec<f64> = (0..200).map(f64::from).collect();
/// let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0)?;
/// let top = EigenpairsConfig::new(3, End::Top).with_max_basis(20).run(&a)?;
/// assert!(top.converged);
/// let found: Vec<f64> = top.pairs.iter().map(|pair| pair.value.round()).collect();
/// assert_eq!(found, [199.0, 198.0, 197.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Reference
///
/// Wu and Simon, *Thick-restart Lanczos method for large symmetric eigenvalue problems*, SIAM J.
/// Matrix Anal. Appl. 22 (2000).
#[derive(Debug, Clone, PartialEq)]
pub struct EigenpairsConfig {
    k: usize,
    end: End,
    tolerance: f64,
    max_basis: usize,
    max_products: usize,
    seed: u64,
}

/// What [`EigenpairsConfig::run`] found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Eigenpairs<V> {
    /// The pairs, the outermost first.
    pub pairs: Vec<Eigenpair<V>>,
    /// Whether every true residual is within the tolerance.
    pub converged: bool,
    /// What residuals were to be at most: `tolerance · |A|`.
    pub goal: f64,
    /// Products used, those for true residuals included.
    pub products: usize,
    /// Restarts of the basis.
    pub restarts: usize,
}

impl EigenpairsConfig {
    /// The `k` outermost pairs of `end`.
    pub fn new(k: usize, end: End) -> Self {
        Self {
            k,
            end,
            tolerance: 1e-6,
            max_basis: (2 * k + 20).max(40),
            max_products: 1000,
            seed: 0,
        }
    }

    /// Sets the tolerance, relative to the norm of the operator.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets how many vectors the basis may have: at least `k + 2`.
    #[must_use]
    pub fn with_max_basis(mut self, vectors: usize) -> Self {
        self.max_basis = vectors;
        self
    }

    /// Sets the limit of products.
    #[must_use]
    pub fn with_max_products(mut self, products: usize) -> Self {
        self.max_products = products;
        self
    }

    /// Sets the seed of the start and of fresh vectors.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs from a random vector.
    ///
    /// # Errors
    ///
    /// [`KrylovError::TooMany`] for more pairs than dimensions, [`KrylovError::BasisTooSmall`],
    /// [`KrylovError::InvalidTolerance`], [`KrylovError::NonFinite`], [`KrylovError::Operator`].
    pub fn run<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<Eigenpairs<A::Vector>, KrylovError<A::Error>> {
        self.run_observed(operator, |_| ControlFlow::Continue(()))
    }

    /// As [`run`](Self::run); `observe` sees every step and can stop the run, which then returns the
    /// pairs it has.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_observed<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        mut observe: impl FnMut(&LanczosStep) -> ControlFlow<()>,
    ) -> Result<Eigenpairs<A::Vector>, KrylovError<A::Error>> {
        operator.check_square()?;
        let space = operator.domain();
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        self.check(dimension)?;
        let start = Probe::Gaussian.draw::<A::Vector>(&space, self.seed, 0);
        let start = start.map_err(raise)?;
        let epsilon = start.epsilon();
        let tolerance = self.tolerance.max(32.0 * epsilon);
        let full = self.max_basis.min(dimension);
        let mut record = KrylovRecord::new(start, self.seed, full)?;
        let (mut restarts, mut stopped) = (0, false);
        loop {
            record.extend(operator, 1, |step| {
                stopped = observe(step).is_break();
                ControlFlow::Continue(())
            })?;
            let is_full = record.len() >= full;
            let at_limit = stopped || record.products() + self.k >= self.max_products;
            // The small eigenproblem is solved now and then, and whenever something depends on it.
            let is_due = record.len() >= self.k && (is_full || at_limit || record.len() % 5 == 0);
            if !is_due && !at_limit {
                continue;
            }
            let pairs = record.ritz_pairs();
            let size = pairs
                .iter()
                .fold(0.0_f64, |size, (value, _)| size.max(value.abs()));
            let wanted = outermost(pairs, self.end, self.k);
            let last = |vector: &Vec<f64>| vector.last().copied().unwrap_or(0.0).abs();
            let is_done = wanted.len() == self.k
                && wanted
                    .iter()
                    .all(|(_, vector)| record.beta() * last(vector) <= tolerance * size);
            let is_spanned = record.is_invariant() && record.len() >= full && full == dimension;
            if is_done && !found_by_chance(&record, self.k) || is_spanned || at_limit {
                let k = self.k.min(record.len());
                let pairs = record.eigenpairs(operator, self.end, k)?;
                // True residuals carry the rounding of one more product.
                let goal = tolerance * size;
                let allowed = goal + 64.0 * epsilon * size;
                return Ok(Eigenpairs {
                    converged: k == self.k && pairs.iter().all(|pair| pair.residual <= allowed),
                    products: record.products() + k,
                    pairs,
                    goal,
                    restarts,
                });
            }
            if is_full {
                let keep = self.k + (full - self.k) / 3;
                let kept = outermost(record.ritz_pairs(), self.end, keep.min(full - 2));
                record.restart(&kept).map_err(raise)?;
                restarts += 1;
            }
        }
    }

    fn check<E>(&self, dimension: usize) -> Result<(), KrylovError<E>> {
        if self.k > dimension || self.k == 0 {
            return Err(KrylovError::TooMany {
                asked: self.k,
                available: dimension,
            });
        }
        let needed = (self.k + 2).min(dimension);
        if self.max_basis < needed {
            return Err(KrylovError::BasisTooSmall {
                vectors: self.max_basis,
                needed,
            });
        }
        match self.tolerance > 0.0 && self.tolerance.is_finite() {
            true => Ok(()),
            false => Err(KrylovError::InvalidTolerance {
                tolerance: self.tolerance,
            }),
        }
    }
}

/// Right after a breakdown the residuals are zero whatever the pairs are: a multiple eigenvalue may
/// still be missing, and shows within a few steps of the fresh vector.
fn found_by_chance<V: VectorSpace>(record: &KrylovRecord<V>, k: usize) -> bool {
    record.beta() == 0.0 && record.len() < (2 * k + 2).min(V::dimension(&record.space()))
}
