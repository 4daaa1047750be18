use super::Settled;
use super::projected::Projected;
use crate::basis::outside;
use crate::eigen::{Eigenpair, measured};
use crate::vector::divided;
use crate::{
    Dense, Eigenpairs, KrylovFault, Outcome, Probe, SelfAdjoint, Step, VectorBlock, VectorSpace,
    Which,
};

/// After a pass of Gram-Schmidt that left this much of a vector, `1/√2`, there is no need for another:
/// the criterion of Daniel, Gragg, Kaufman and Stewart (1976).
const MOST_IS_LEFT: f64 = std::f64::consts::FRAC_1_SQRT_2;

/// A Lanczos factorization of a self-adjoint operator: an orthonormal basis `Q` of the Krylov space of one vector, the
/// operator in it, and the vector with which to continue.
///
/// `A Qᵀ = Qᵀ T + r eᵀ` holds to rounding after every step. A factorization answers many questions without new
/// products: Ritz values and their residuals, [quadrature](Self::quadrature) and what follows from it
/// (traces, the log-determinant, the density), [`f(A) b`](Self::apply), how many eigenvalues are
/// [in a range](Self::count_in). It can be [extended](Self::extend), with the result of an uninterrupted run to the bit,
/// and [stored](Self::checkpoint) between processes.
///
/// Every vector is orthogonalized against all before it, and a second time where the first left less than
/// `1/√2` of it, so that the basis is orthonormal to rounding. Where a Krylov space is exhausted
/// (`β ≤ 64 ε |T|`, less in half precision; relative, so that the zero operator works), the run continues
/// with a fresh random vector orthogonal to the basis: this finds the copies of a multiple eigenvalue.
///
/// # Cost
///
/// Per step: one product with the operator, one with the basis, one with its transpose, and one host
/// synchronization if the block [splits](VectorBlock::split) vectors on its device (four by default). A second pass adds one more
/// product with the basis, one with its transpose, and one synchronization. The basis is in memory.
///
/// # Reproducibility
///
/// The random start and every fresh vector are [`Probe::Gaussian`] draws of the seed.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, LanczosFactorization, Symmetric};
///
/// let a = Symmetric::verified(Dense::diagonal(&[1.0, 2.0, 2.0, 5.0]), 1e-12, 0)?;
/// let values = LanczosFactorization::from_random(&a, 4, 0)?.ritz_values();
/// for (value, expected) in values.iter().zip([1.0, 2.0, 2.0, 5.0]) {
///     assert!((value - expected).abs() < 1e-13);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// Lanczos (1950); Parlett, *The Symmetric Eigenvalue Problem* (1980), chapter 13. Daniel, Gragg, Kaufman,
/// Stewart, *Reorthogonalization and stable algorithms for updating the Gram-Schmidt QR factorization*,
/// Math. Comp. 30 (1976), for the second pass.
#[derive(Debug, Clone)]
pub struct LanczosFactorization<V: VectorSpace> {
    pub(crate) space: V::Space,
    pub(crate) basis: V::Block,
    pub(crate) projected: Projected,
    /// The next vector, of norm one, and its length before; none if nothing is left.
    pub(crate) next: Option<V>,
    pub(crate) beta: f64,
    pub(crate) num_matvecs: usize,
    /// Norm of the start.
    pub(crate) length: f64,
    /// The rounding of the vectors.
    pub(crate) epsilon: f64,
    pub(crate) seed: u64,
    /// Random vectors drawn so far.
    pub(crate) drawn: u64,
    /// Length of the first Krylov space, once it is exhausted.
    pub(crate) first: Option<usize>,
    /// The largest step below a tolerance that was treated as zero.
    pub(crate) dropped: f64,
    /// Where the newest Krylov space begins.
    pub(crate) piece: usize,
    pub(crate) restarted: bool,
    /// Ritz vectors that the last restart kept.
    pub(crate) fixed: usize,
    pub(crate) is_stopped: bool,
    /// Earlier products of a larger run, to name one that is not finite.
    pub(crate) earlier: usize,
}

impl<V: VectorSpace> LanczosFactorization<V> {
    /// A run of `steps` products from a random vector, or fewer if they span the whole space. Without any, the
    /// factorization is empty, and so are its answers. A run that an observer of the operator ends has the steps that it
    /// made.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::NonFinite`] with the product at which a number was not finite, and those of the operator.
    pub fn from_random<A: SelfAdjoint<Vector = V> + ?Sized>(
        operator: &A,
        steps: usize,
        seed: u64,
    ) -> Result<Self, A::Error> {
        operator.check_square()?;
        let start = Probe::Gaussian.draw::<V>(&operator.domain(), seed, 0)?;
        Self::from_vector(operator, start, steps, seed)
    }

    /// As [`from_random`](Self::from_random), from the given vector; the seed is that of fresh vectors.
    ///
    /// # Errors
    ///
    /// As [`from_random`](Self::from_random), and [`KrylovFault::OutOfBounds`] for a start that is zero or not finite.
    pub fn from_vector<A: SelfAdjoint<Vector = V> + ?Sized>(
        operator: &A,
        start: V,
        steps: usize,
        seed: u64,
    ) -> Result<Self, A::Error> {
        operator.check_square()?;
        let start = start.adopted(&operator.domain())?;
        let mut record = Self::new(operator.domain(), start, seed, steps)?;
        record.extend(operator, steps)?;
        Ok(record)
    }

    /// A run before its first step. The space is the operator's, which may say more of where a basis is stored than the
    /// start does.
    pub(crate) fn new(
        space: V::Space,
        start: V,
        seed: u64,
        capacity: usize,
    ) -> Result<Self, V::Error> {
        let norm = start.norm()?;
        if !(norm > 0.0 && norm.is_finite()) {
            return Err(KrylovFault::OutOfBounds {
                name: "start",
                value: norm,
                allowed: "a vector with a positive, finite norm",
            }
            .into());
        }
        let capacity = capacity.min(V::dimension(&space));
        let epsilon = start.epsilon();
        Ok(Self {
            basis: V::Block::with_capacity(&space, capacity)?,
            space,
            projected: Projected::default(),
            next: Some(divided(start, norm)),
            beta: 0.0,
            num_matvecs: 0,
            length: norm,
            epsilon,
            seed,
            drawn: 1,
            first: None,
            dropped: 0.0,
            piece: 0,
            restarted: false,
            fixed: 0,
            is_stopped: false,
            earlier: 0,
        })
    }

    /// Continues for `steps` products, or until the whole space is spanned, or an observer of the operator
    /// [ends it](Self::is_stopped).
    ///
    /// # Errors
    ///
    /// [`KrylovFault::NonFinite`], and those of the operator. The factorization is then as it was after the
    /// last step that succeeded.
    pub fn extend<A: SelfAdjoint<Vector = V> + ?Sized>(
        &mut self,
        operator: &A,
        steps: usize,
    ) -> Result<(), A::Error> {
        let space = operator.domain();
        V::check_same(&self.space, &space)?;
        // What is not compared is that of the operator from now on: its devices may have other limits.
        self.basis.adopt(&space)?;
        let next = self.next.take().map(|next| next.adopted(&space));
        self.next = next.transpose()?;
        self.space = space;
        self.is_stopped = false;
        let limit = self.num_matvecs.saturating_add(steps);
        while self.num_matvecs < limit && self.next.is_some() {
            self.grow(operator)?;
            if self.is_stopped {
                break;
            }
            let step = Step::new("Lanczos", self.num_matvecs).with_limit(limit);
            if operator.report(&step.with_error(self.beta)).is_break() {
                self.is_stopped = true;
                break;
            }
        }
        Ok(())
    }

    /// Makes a step without a report. Where there are steps already, a product that an observer ended [ends the
    /// run](Self::is_stopped).
    pub(crate) fn grow<A: SelfAdjoint<Vector = V> + ?Sized>(
        &mut self,
        operator: &A,
    ) -> Result<(), A::Error> {
        self.is_stopped = false;
        let before = self.basis.len();
        let Err(error) = self.step(operator) else {
            return Ok(());
        };
        self.basis.truncate(before);
        self.is_stopped = before > 0 && operator.is_stop(&error);
        if self.is_stopped { Ok(()) } else { Err(error) }
    }

    fn step<A: SelfAdjoint<Vector = V> + ?Sized>(&mut self, operator: &A) -> Result<(), A::Error> {
        let Some(q) = self.next.clone() else {
            return Ok(());
        };
        let mut rest = operator.matvec(&q)?;
        let epsilon = q.epsilon();
        // The terms of the recurrence are subtracted first, so that the pass over the basis finds only rounding (and the
        // coupling that a restart left).
        let newest = self.basis.len();
        let previous = newest.checked_sub(1).filter(|_| self.beta > 0.0);
        if let Some(index) = previous
            && let Some(previous) = self.basis.get(index)?
        {
            rest = rest.axpy(-self.beta, &previous)?;
        }
        self.basis.push(q)?;
        // The first step after a restart is coupled to all vectors, so that it has two passes over them.
        let is_coupled = self.restarted && newest == self.piece;
        let first = if is_coupled { 0 } else { newest };
        let (mut row, mut rest, [size, mut beta]) = self.basis.split(rest, &[first, 0])?;
        // Another pass removes the rounding errors of the last, if that removed enough for them to matter.
        if beta < MOST_IS_LEFT * size {
            let (second, less, [_, left]) = self.basis.split(rest, &[0])?;
            row.iter_mut().zip(&second).for_each(|(a, b)| *a += b);
            (rest, beta) = (less, left);
        }
        // A narrow type may have overflown in any of them.
        let is_finite = row.iter().chain([&size, &beta]).all(|x| x.is_finite());
        if !is_finite {
            return Err(KrylovFault::NonFinite {
                product: self.earlier + self.num_matvecs,
            }
            .into());
        }
        if let Some(previous) = previous {
            row[previous] += self.beta;
        }
        self.num_matvecs += 1;
        if self.beta == 0.0 {
            self.piece = self.projected.len();
        }
        self.projected.push(row);
        self.beta = beta;

        // Several times the rounding error; less in half precision, where that would be too large.
        let rounding = (64.0 * epsilon).min(0.25 * epsilon.sqrt());
        let smallest = rounding * self.projected.bound().max(self.beta);
        self.next = if self.basis.len() == V::dimension(&self.space) {
            self.beta = 0.0;
            None
        } else if self.beta <= smallest {
            self.first.get_or_insert(self.basis.len());
            self.beta = 0.0;
            self.fresh()?
        } else {
            Some(divided(rest, self.beta))
        };
        if self.next.is_none() {
            self.first.get_or_insert(self.basis.len());
        }
        Ok(())
    }

    /// Treats a space whose last step is within a tolerance as exhausted: a fresh vector comes next.
    pub(crate) fn exhaust(&mut self) -> Result<(), V::Error> {
        self.first.get_or_insert(self.basis.len());
        self.dropped = self.dropped.max(self.beta);
        self.beta = 0.0;
        self.next = self.fresh()?;
        Ok(())
    }

    /// A random vector orthogonal to the basis.
    pub(crate) fn fresh(&mut self) -> Result<Option<V>, V::Error> {
        // A random vector is almost never within the span of the basis; a few attempts make sure.
        for _ in 0..4 {
            let v = Probe::Gaussian.draw::<V>(&self.space, self.seed, self.drawn)?;
            self.drawn += 1;
            let least = v.epsilon().sqrt();
            if let Some(unit) = outside(&[&self.basis], v, least)? {
                return Ok(Some(unit));
            }
        }
        Ok(None)
    }

    /// The space of the vectors.
    pub fn space(&self) -> V::Space {
        self.space.clone()
    }

    /// Number of vectors in the basis.
    pub fn len(&self) -> usize {
        self.basis.len()
    }

    /// Whether the basis is empty.
    pub fn is_empty(&self) -> bool {
        self.basis.is_empty()
    }

    /// Whether an observer ended the last run before it had made all of its steps.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Products so far.
    pub fn num_matvecs(&self) -> usize {
        self.num_matvecs
    }

    /// The orthonormal basis.
    pub fn basis(&self) -> &V::Block {
        &self.basis
    }

    /// The operator in the basis, `T`.
    ///
    /// # Errors
    ///
    /// None in practice: the error of a matrix of the wrong size.
    pub fn projected(&self) -> Result<Dense, crate::KrylovFault> {
        let n = self.projected.len();
        let entries = (0..n * n).map(|index| self.projected.get(index / n, index % n));
        Dense::from_row_major(n, n, entries.collect())
    }

    /// Whether the basis is a whole invariant subspace, so that its Ritz values are eigenvalues.
    pub fn is_invariant(&self) -> bool {
        self.beta == 0.0 && !self.is_empty()
    }

    /// All Ritz values, in ascending order: the outer ones approximate eigenvalues long before the inner ones do.
    pub fn ritz_values(&self) -> Vec<f64> {
        let pairs = self.ritz_pairs();
        pairs.into_iter().map(|(value, _)| value).collect()
    }

    /// An estimate of the residual of each Ritz pair, in the order of
    /// [`ritz_values`](Self::ritz_values): `|β s|` with the last component `s` of its vector. No product
    /// is needed.
    pub fn residual_estimates(&self) -> Vec<f64> {
        let pairs = self.ritz_pairs();
        pairs.iter().map(|(_, s)| self.residual_of(s)).collect()
    }

    /// The residual of the Ritz pair whose vector has these coefficients, by the recurrence.
    pub(crate) fn residual_of(&self, coefficients: &[f64]) -> f64 {
        self.beta * coefficients.last().copied().unwrap_or(0.0).abs()
    }

    /// The Ritz values of the space that begins at `first`, ascending, with their residuals.
    pub(crate) fn residuals_from(&self, first: usize) -> Vec<(f64, f64)> {
        let pairs = self.projected.eigen(first..self.len()).into_iter();
        pairs
            .map(|(value, vector)| (value, self.residual_of(&vector)))
            .collect()
    }

    /// The `k` outermost Ritz pairs, the outermost first, with true residuals; with [estimated
    /// ones](Self::residual_estimates) if an observer ends the products. They have converged if the residuals are
    /// rounding.
    ///
    /// # Cost
    ///
    /// A product each, in one block.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::TooMany`] if the basis has fewer vectors, [`KrylovFault::NonFinite`],
    /// and those of the operator.
    pub fn eigenpairs<A: SelfAdjoint<Vector = V> + ?Sized>(
        &self,
        operator: &A,
        which: Which,
        k: usize,
    ) -> Result<Eigenpairs<V>, A::Error> {
        if k > self.len() {
            return Err(KrylovFault::TooMany {
                name: "Ritz pairs",
                asked: k,
                available: self.len(),
            }
            .into());
        }
        let (pairs, num_matvecs) = measured(operator, self.outermost(which, k)?, self.num_matvecs)?;
        let epsilon = pairs.first().map_or(0.0, |pair| pair.vector.epsilon());
        let goal = 32.0 * epsilon * self.projected.bound();
        let is_small = pairs.iter().all(|pair| pair.residual <= goal);
        let outcome = Outcome::of(is_small, num_matvecs < k);
        Ok(Eigenpairs::new(pairs, outcome, goal, num_matvecs))
    }

    /// Ritz pairs with residual estimates, as the basis has them.
    pub(crate) fn outermost(&self, which: Which, k: usize) -> Result<Vec<Eigenpair<V>>, V::Error> {
        let pair = |(value, coefficients): (f64, Vec<f64>)| {
            Ok(Eigenpair {
                value,
                vector: self.basis.linear_combination(&coefficients)?,
                residual: self.residual_of(&coefficients) + self.dropped,
            })
        };
        let pairs = which.outermost(self.ritz_pairs(), k);
        pairs.into_iter().map(pair).collect()
    }

    pub(crate) fn beta(&self) -> f64 {
        self.beta
    }

    /// Keeps the given Ritz pairs of the basis, and the next vector: thick restart.
    pub(crate) fn restart(&mut self, kept: &[(f64, Vec<f64>)]) -> Result<(), V::Error> {
        let coefficients: Vec<f64> = kept.iter().flat_map(|(_, vector)| vector.clone()).collect();
        let turn = Dense::from_row_major(kept.len(), self.len(), coefficients)?;
        self.basis = self.basis.transform(&turn)?;
        self.piece = self.basis.len();
        let values: Vec<f64> = kept.iter().map(|(value, _)| *value).collect();
        self.projected = Projected::diagonal(&values);
        self.restarted = true;
        self.fixed = kept.len();
        Ok(())
    }

    pub(crate) fn ritz_pairs(&self) -> Vec<(f64, Vec<f64>)> {
        self.projected.eigen(0..self.projected.len())
    }

    /// Whether the wanted values, the outermost first, have [settled](Settled). If a space was exhausted: those of them in
    /// the newest space, and at least its outermost value.
    pub(crate) fn has_settled(
        &self,
        which: Which,
        wanted: &[f64],
        (goal, tolerance, noise): (f64, f64, f64),
    ) -> bool {
        if self.is_invariant() {
            return true;
        }
        let first = if self.first.is_some() { self.piece } else { 0 };
        let pairs = self.residuals_from(first);
        let (count, degree) = match first {
            0 => (wanted.len(), self.num_matvecs),
            _ => {
                let is_wanted = |pair: &&(f64, f64)| which.beyond(wanted, pair.0) >= -noise;
                let least = if which == Which::BothEnds { 2 } else { 1 };
                let own = pairs.iter().filter(is_wanted).count();
                (own.max(least), self.len() - first)
            }
        };
        let settled = Settled {
            projected: &self.projected,
            first,
            fixed: self.fixed.saturating_sub(first),
            width: 1,
            degree,
            noise,
            goal,
            tolerance,
        };
        settled.is(which, &pairs, count)
    }
}

#[cfg(test)]
mod tests;
