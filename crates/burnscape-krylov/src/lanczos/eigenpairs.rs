use std::ops::ControlFlow;

use super::missing::is_complete;
use super::settled::Apart;
use super::trial::Trial;
use super::{Eigenpair, Eigenpairs, End, KrylovRecord, Residuals};
use crate::error::raise;
use crate::vector::orthonormal;
use crate::{KrylovError, Outcome, Probe, SelfAdjoint, Square, Step, VectorBlock, VectorSpace};

/// The outermost eigenpairs, by Lanczos with thick restarts.
///
/// The run stops when the estimated residuals of all `k` pairs are at most `tolerance · |A|`, with
/// `|A|` the largest Ritz value met, or at the limit of products; [true residuals](Residuals) are then
/// measured.
/// Where an eigenvalue far out at the other end makes that goal larger than the distances at this end, the
/// residuals have to be a fifty-thousandth of how broad the spectrum is without it, and the values have
/// to have settled.
/// The error of an eigenvalue is at most the residual, and near residual² over the gap to the rest:
/// a tolerance of 1e-3 gives most eigenvalues to 1e-5. When the basis is full, the best Ritz vectors
/// are kept and the rest is let go.
///
/// # What convergence claims
///
/// Every residual is within the goal, so that some eigenvalue lies within the residual of each value. That
/// the `i`-th value is the `i`-th *distinct* eigenvalue is as likely as a random vector sees it: of two
/// neighbors that are nearer to each other than a random start tells apart by then, the outer one may be missed.
///
/// It does not claim that eigenvalues are counted with multiplicity. A Krylov space holds one vector of a
/// multiple eigenvalue. Further copies are found where the space is exhausted, by a fresh vector; where it is
/// not, by [verification](Self::with_verification), or by [`BlockLanczosConfig`](crate::BlockLanczosConfig), as
/// many as its block has vectors. Without either, a value may be that of the next distinct eigenvalue,
/// however small the residuals are. With verification, convergence claims that one more eigenvalue as far out as
/// the last one wanted, copies included, would have been seen with a probability of 99.9 %.
///
/// # Cost
///
/// Products, as the result tells. At most `max_basis` vectors in memory, and half as many again
/// (and `k`) while a restart turns the basis; [`with_max_bytes`](Self::with_max_bytes) holds all of
/// that under a cap. The small eigenproblem is solved on the host after most steps, `max_basis³`.
///
/// # Defaults
///
/// Tolerance 1e-6 (or 32 ε of the vectors, if that is more), a basis of `max(2 k + 20, 40)`, at most
/// 1,000 products, no cap on memory; ours.
///
/// # Reproducibility
///
/// The start and fresh vectors are [`Probe::Gaussian`] draws of the seed.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, EigenpairsConfig, End, Symmetric};
///
/// let values: Vec<f64> = (0..200).map(f64::from).collect();
/// let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0)?;
/// let top = EigenpairsConfig::new(3, End::Top).with_max_basis(20).run(&a)?;
/// assert!(top.outcome.is_converged());
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
    max_bytes: Option<usize>,
    residuals: Residuals,
    is_verified: bool,
    seed: u64,
}

/// Vectors at work besides the basis: the next one, its product, what is left of it, a copy.
const AT_WORK: usize = 4;
/// The random part of a warm start, relative to the rest: enough for a pair that was not among the
/// old ones to be found, too little to slow the others down.
const EXPLORATION: f64 = 1e-2;

impl EigenpairsConfig {
    /// The `k` outermost pairs of `end`.
    pub fn new(k: usize, end: End) -> Self {
        Self {
            k,
            end,
            tolerance: 1e-6,
            max_basis: k.saturating_mul(2).saturating_add(20).max(40),
            max_products: 1000,
            max_bytes: None,
            residuals: Residuals::Measured,
            is_verified: false,
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

    /// Caps the memory of the run's vectors, those of a restart included, in bytes. The basis is made
    /// as much smaller as that needs. What the operator takes is not counted, nor the vectors of a warm
    /// start, which are needed only until the first product.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Sets whether residuals are measured, with a product each, or estimated.
    #[must_use]
    pub fn with_residuals(mut self, residuals: Residuals) -> Self {
        self.residuals = residuals;
        self
    }

    /// Sets the limit of products. A run that reaches it returns what it has.
    #[must_use]
    pub fn with_max_products(mut self, products: usize) -> Self {
        self.max_products = products;
        self
    }

    /// Whether to look again, from a fresh vector in the complement of the pairs that were found, for
    /// eigenvalues that the first vector did not show: further copies of a multiple eigenvalue, members of
    /// a cluster narrower than the goal, what a warm start had no part in. Off by default. It goes on until
    /// one more eigenvalue as far out as the last one wanted would have been seen with a probability of
    /// 99.9 %, and starts anew when it finds one. The run then takes 1.7 to 1.9 times the products where no
    /// copy is found (means of the sweep of far ends), and about as many again for every copy.
    #[must_use]
    pub fn with_verification(mut self, is_verified: bool) -> Self {
        self.is_verified = is_verified;
        self
    }

    /// Sets the seed of the start and of fresh vectors.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs from a random vector. A run that an observer ends has the pairs that it found, with residuals that are
    /// measured (a product each) unless the observer ends those products as well.
    ///
    /// # Errors
    ///
    /// [`KrylovError::TooMany`] for more pairs than dimensions, [`KrylovError::BasisTooSmall`],
    /// [`KrylovError::MemoryTooSmall`], [`KrylovError::InvalidTolerance`],
    /// [`KrylovError::NonFinite`], [`KrylovError::Operator`].
    pub fn run<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<Eigenpairs<A::Vector>, KrylovError<A::Error>> {
        self.run_from(operator, &[])
    }

    /// As [`run`](Self::run), from the eigenvectors of an operator that was much
    /// like this one: a warm start, as for the Hessian some steps of training later.
    ///
    /// The run starts from the sum of the vectors, made orthonormal first (those that depend on others
    /// are left out), and a random part of 1 % of its norm, so that a pair that was not among the old
    /// ones can be found. It takes about `k` products to tell the old pairs apart, and then what the
    /// change of the operator asks for. With no vectors it is a run from a random start.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_krylov::{Dense, EigenpairsConfig, End, Scaled, Symmetric};
    ///
    /// let values: Vec<f64> = (1..=300).map(|i| 1.0 / f64::from(i)).collect();
    /// let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0)?;
    /// let config = EigenpairsConfig::new(1, End::Top).with_tolerance(1e-4);
    /// let cold = config.run(&a)?;
    /// let later = Scaled::new(&a, 1.1)?;
    /// let warm = config.run_from(&later, &cold.vectors())?;
    /// assert!(warm.outcome.is_converged() && warm.products < cold.products);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and [`KrylovError::NonFiniteArgument`] for a vector that is not finite.
    pub fn run_from<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        starts: &[<A as Square>::Vector],
    ) -> Result<Eigenpairs<A::Vector>, KrylovError<A::Error>> {
        self.run_reporting(operator, starts, &mut |step| operator.report(&step))
    }

    /// As [`run_from`](Self::run_from), as a part of another run, which reports the steps as its own.
    pub(crate) fn run_reporting<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        starts: &[<A as Square>::Vector],
        report: &mut dyn FnMut(Step) -> ControlFlow<()>,
    ) -> Result<Eigenpairs<A::Vector>, KrylovError<A::Error>> {
        operator.check_square()?;
        let space = operator.domain();
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        self.check(dimension)?;
        let random = Probe::Gaussian.draw::<A::Vector>(&space, self.seed, 0);
        let start = warm(random.map_err(raise)?, starts)?;
        self.search(operator, start, report)
    }

    fn search<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        start: A::Vector,
        report: &mut dyn FnMut(Step) -> ControlFlow<()>,
    ) -> Result<Eigenpairs<A::Vector>, KrylovError<A::Error>> {
        let dimension = <A::Vector as VectorSpace>::dimension(&start.space());
        let epsilon = start.epsilon();
        let tolerance = self.tolerance.max(32.0 * epsilon);
        let full = self.capacity(dimension, start.num_bytes())?;
        let mut record = KrylovRecord::new(start, self.seed, full)?;
        let (mut restarts, mut size) = (0, 0.0_f64);
        let mut known: (Option<f64>, Option<f64>, Option<f64>) = (None, None, None);
        let mut trial: Option<Trial> = None;
        let checks = match self.residuals {
            Residuals::Measured => self.k,
            Residuals::Estimated => 0,
        };
        loop {
            record.grow(operator)?;
            // A product that was stopped has left the record as it was, and that had not converged.
            let is_cut_short = record.is_stopped();
            let is_full = record.len() >= full;
            let mut at_limit = is_cut_short || record.products() + checks >= self.max_products;
            let products = record.products();
            let step = |(value, error, goal): (Option<f64>, Option<f64>, Option<f64>)| {
                let step = Step::new("eigenpairs", products).with_limit(self.max_products);
                step.with_value(value).with_error(error).with_goal(goal)
            };
            // A product costs more than a small eigenproblem, but not more than a large one.
            let every = 1 + record.len() / 24;
            let is_due = record.len() >= self.k && record.len().is_multiple_of(every);
            let mut is_stopped = is_cut_short;
            let has_news = is_due || is_full || at_limit;
            if !has_news {
                if report(step(known)).is_continue() {
                    continue;
                }
                (is_stopped, at_limit) = (true, true);
            }
            let pairs = record.ritz_pairs();
            // A restart lets the other end go, and the norm is still known.
            size = pairs.iter().fold(size, |size, pair| size.max(pair.0.abs()));
            let values: Vec<f64> = pairs.iter().map(|pair| pair.0).collect();
            let wanted = self.end.outermost(pairs.clone(), self.k);
            let goal = tolerance * size;
            let noise = 4.0 * epsilon * size;
            // What is nothing, where eigenvalues far out at the other end make the goal large.
            let (what, apart) = ((self.end, self.k), Apart::ONE_VECTOR);
            let near = goal.min(apart.residual(what, &values, (tolerance, noise)));
            let beta = record.beta();
            let residual = |vector: &[f64]| beta * last(vector);
            let is_small =
                wanted.len() == self.k && wanted.iter().all(|(_, vector)| residual(vector) <= goal);
            let outermost: Vec<f64> = wanted.iter().map(|pair| pair.0).collect();
            let largest = wanted.iter().map(|(_, vector)| residual(vector));
            let largest = largest.fold(0.0_f64, f64::max);
            known = (outermost.first().copied(), Some(largest), Some(goal));
            if has_news && !is_cut_short && report(step(known)).is_break() {
                (is_stopped, at_limit) = (true, true);
            }
            let is_good = !is_cut_short
                && is_small
                && record.has_settled(self.end, &outermost, (near, tolerance, noise));
            if is_good && record.beta() > 0.0 && record.beta() <= near / 2.0 {
                // All pairs of this space have converged, and copies of theirs may be missing.
                record.exhaust().map_err(raise)?;
            }
            let mut is_done = is_good && self.has_all(&record, near);
            let is_spanned =
                record.is_invariant() && (record.len() == dimension || record.next.is_none());
            let mut is_new = false;
            if let Some(trial) = &trial {
                let newest = record.newest_residuals();
                let progress = (record.products(), dimension);
                is_done = !trial.has_found
                    && (is_done
                        || is_small && trial.rules_out(self.end, &newest, &outermost, progress));
                // It has found an eigenvalue that is wanted, and there may be more of them.
                is_new = is_good && !is_done;
            } else if self.is_verified && is_done && record.newest_residuals().is_empty() {
                (is_done, is_new) = (false, true);
            }
            if is_new && !at_limit && !is_spanned {
                let is_one_ended = matches!(self.end, End::Top | End::Bottom);
                let far = self.end.outermost(pairs.clone(), pairs.len()).pop();
                let has_far = is_one_ended
                    && pairs.len() > self.k
                    && far.is_some_and(|(_, vector)| residual(&vector) <= near);
                let held = self.k + usize::from(has_far);
                let kept = Trial::ordered(self.end, pairs, (self.k, held), has_far);
                record.renew(&kept, largest).map_err(raise)?;
                let since = record.products();
                trial = Some(Trial {
                    held,
                    known: outermost,
                    since,
                    has_found: false,
                });
                continue;
            }
            if is_done || is_spanned || at_limit {
                let k = self.k.min(record.len());
                let (pairs, checks) = match self.residuals {
                    Residuals::Measured if !is_stopped => {
                        let (pairs, checks) = record.measured_pairs(operator, self.end, k)?;
                        is_stopped |= checks < k;
                        (pairs, checks)
                    }
                    _ => (record.estimated_pairs(self.end, k).map_err(raise)?, 0),
                };
                // True residuals carry the rounding of one more product.
                let allowed = goal + 64.0 * epsilon * size;
                let is_small = |pair: &Eigenpair<A::Vector>| pair.residual <= allowed;
                return Ok(Eigenpairs {
                    outcome: Outcome::of(
                        (is_done || is_spanned) && pairs.iter().all(is_small),
                        is_stopped,
                    ),
                    products: record.products() + checks,
                    pairs,
                    goal,
                    restarts,
                });
            }
            if is_full {
                let keep = kept(self.k, full);
                let held = trial.as_ref().map_or(self.k, |trial| trial.held);
                let kept = Trial::ordered(self.end, pairs, (self.k, keep.max(held)), held > self.k);
                let newest = record.newest_residuals();
                record.restart(&kept).map_err(raise)?;
                if let Some(trial) = &mut trial {
                    // What it has found is among the pairs that are held now.
                    let mut newest = newest.iter();
                    trial.has_found |=
                        newest.any(|pair| self.end.beyond(&trial.known, pair.0) > near);
                    record.piece = held;
                }
                restarts += 1;
            }
        }
    }

    /// The most vectors that the basis may have, under the cap on memory as well.
    fn capacity<E>(&self, dimension: usize, bytes: usize) -> Result<usize, KrylovError<E>> {
        let full = self.max_basis.min(dimension);
        let Some(cap) = self.max_bytes else {
            return Ok(full);
        };
        // The whole space is never turned: there is nothing to restart for.
        let total = |basis: usize| {
            let turned = if basis < dimension {
                kept(self.k, basis)
            } else {
                0
            };
            (basis + turned + AT_WORK).saturating_mul(bytes)
        };
        let fewest = (self.k + 2).min(dimension);
        (fewest..=full)
            .rev()
            .find(|&basis| total(basis) <= cap)
            .ok_or(KrylovError::MemoryTooSmall {
                bytes: cap,
                needed: total(fewest),
            })
    }

    fn has_all<V: VectorSpace>(&self, record: &KrylovRecord<V>, allowed: f64) -> bool {
        let newest = record.newest_residuals();
        let what = (self.end, self.k);
        newest.is_empty() || is_complete(record.ritz_values(), newest, what, (1, allowed))
    }

    fn check<E>(&self, dimension: usize) -> Result<(), KrylovError<E>> {
        check(self.k, dimension, self.tolerance)?;
        let needed = (self.k + 2).min(dimension);
        if self.max_basis < needed {
            return Err(KrylovError::BasisTooSmall {
                vectors: self.max_basis,
                needed,
            });
        }
        Ok(())
    }
}

/// What every search for eigenpairs refuses.
pub(crate) fn check<E>(k: usize, dimension: usize, tolerance: f64) -> Result<(), KrylovError<E>> {
    if k > dimension || k == 0 {
        return Err(KrylovError::TooMany {
            asked: k,
            available: dimension,
        });
    }
    match tolerance > 0.0 && tolerance.is_finite() {
        true => Ok(()),
        false => Err(KrylovError::InvalidTolerance { tolerance }),
    }
}

/// How many Ritz vectors a restart keeps: more than are asked for, so that those converge while
/// they are refined, and few enough that there is room to refine.
pub(crate) fn kept(k: usize, full: usize) -> usize {
    (k + 2 * full.saturating_sub(k) / 5).min(full.saturating_sub(2))
}

/// The sum of `starts`, made orthonormal, and a little of `random`; `random` if there are none.
fn warm<V: VectorSpace, E: From<V::Error>>(random: V, starts: &[V]) -> Result<V, KrylovError<E>> {
    let basis = orthonormal(&random.space(), starts, "starts")?;
    if basis.is_empty() {
        return Ok(random);
    }
    let sum = basis.combine(&vec![1.0; basis.len()]).map_err(raise)?;
    let length = random.norm().map_err(raise)?;
    let part = EXPLORATION * (basis.len() as f64).sqrt() / length;
    sum.axpy(part, &random).map_err(raise)
}

fn last(vector: &[f64]) -> f64 {
    vector.last().copied().unwrap_or(0.0).abs()
}
