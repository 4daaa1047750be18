use super::first_block;
use crate::error::raise;
use crate::lanczos::{
    Apart, Projected, Settled, check, is_complete, kept, measured, of_norm_one, products,
};
use crate::vector::{divided, length, split};
use crate::{
    Dense, Eigenpair, Eigenpairs, End, KrylovError, Outcome, Probe, SelfAdjoint, Square, Step,
    VectorBlock, VectorSpace,
};

/// The outermost eigenpairs by block Lanczos with thick restarts: for clusters and multiplicities.
///
/// Every step multiplies a block of vectors at once ([`matmat`](crate::LinearOperator::matmat)), and the
/// space grows by as many; where a part of the block is exhausted, the rest goes on alone. A block of `p` vectors finds `p` copies of a multiple eigenvalue, and the
/// members of a cluster that is narrower than what a single vector's space can tell apart. For
/// eigenvalues that lie apart, [`EigenpairsConfig`](crate::EigenpairsConfig) takes fewer products, this
/// fewer passes over the data if the operator shares a pass within a block.
///
/// Convergence claims that no eigenvalue further out was missed, copies counted up to the size of the block; of two
/// neighbors nearer than residuals tell apart, the outer one may be missed, if the start had little of it.
///
/// # Cost
///
/// Products, as the result tells, `block` at a time. At most `max_basis + 3 block` vectors in memory, and
/// half as many again while a restart turns the basis.
///
/// # Defaults
///
/// A block of `min(k, 4)`, tolerance 1e-6 (or 32 ε of the vectors, if that is more), a basis of
/// `max(2 k + 20, 40, k + 4 block)`, at most 1,000 products; ours.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{BlockLanczosConfig, Dense, End, Symmetric};
///
/// let mut values: Vec<f64> = (0..100).map(|i| f64::from(i) / 100.0).collect();
/// values[40..43].copy_from_slice(&[7.0, 7.0, 7.0]);
/// let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0)?;
/// let top = BlockLanczosConfig::new(3, End::Top).run(&a)?;
/// assert!(top.outcome.is_converged());
/// assert!(top.pairs.iter().all(|pair| (pair.value - 7.0).abs() < 1e-9));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// Golub and Underwood, *The block Lanczos method for computing eigenvalues* (1977); the restart is that
/// of Wu and Simon (2000), for blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockLanczosConfig {
    k: usize,
    end: End,
    block: usize,
    tolerance: f64,
    max_basis: usize,
    max_products: usize,
    seed: u64,
}

impl BlockLanczosConfig {
    /// The `k` outermost pairs of `end`.
    pub fn new(k: usize, end: End) -> Self {
        let block = k.clamp(1, 4);
        Self {
            k,
            end,
            block,
            tolerance: 1e-6,
            max_basis: k.saturating_mul(2).saturating_add(20).max(40),
            max_products: 1000,
            seed: 0,
        }
    }

    /// Sets how many vectors are multiplied at once.
    #[must_use]
    pub fn with_block(mut self, vectors: usize) -> Self {
        self.block = vectors;
        self.max_basis = self
            .max_basis
            .max(self.k.saturating_add(vectors.saturating_mul(4)));
        self
    }

    /// Sets the tolerance, relative to the norm of the operator.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets how many vectors the basis may have: at least `k + 2 block`.
    #[must_use]
    pub fn with_max_basis(mut self, vectors: usize) -> Self {
        self.max_basis = vectors;
        self
    }

    /// Sets the limit of products, those for true residuals included. At least two blocks are made.
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

    /// Runs from random vectors.
    ///
    /// # Errors
    ///
    /// [`KrylovError::TooMany`] for more pairs than dimensions, or a block of none,
    /// [`KrylovError::BasisTooSmall`], [`KrylovError::InvalidTolerance`], [`KrylovError::NonFinite`],
    /// [`KrylovError::ProductCount`], [`KrylovError::Operator`].
    pub fn run<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<Eigenpairs<A::Vector>, KrylovError<A::Error>> {
        self.run_from(operator, &[])
    }

    /// As [`run`](Self::run), from a block that starts with the given vectors and goes on with random
    /// ones; the block is as large as they are many, if that is more. An observer sees every block.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and [`KrylovError::NonFiniteArgument`] for a vector that is not finite.
    pub fn run_from<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        starts: &[<A as Square>::Vector],
    ) -> Result<Eigenpairs<A::Vector>, KrylovError<A::Error>> {
        operator.check_square()?;
        let space = operator.domain();
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        check(self.k, dimension, self.tolerance)?;
        if self.block == 0 || self.block > dimension {
            return Err(KrylovError::TooMany {
                asked: self.block,
                available: dimension,
            });
        }
        let width = self.block.max(starts.len()).min(dimension);
        let needed = (self.k + 2 * width).min(dimension);
        if self.max_basis < needed {
            return Err(KrylovError::BasisTooSmall {
                vectors: self.max_basis,
                needed,
            });
        }
        let mut drawn = 0;
        let first = first_block(&space, starts, width, (self.seed, &mut drawn))?;
        let first = (0..first.len()).filter_map(|index| first.get(index));
        let full = self.max_basis.min(dimension);
        let mut growth = Growth::<A::Vector> {
            basis: <A::Vector as VectorSpace>::Block::with_capacity(&space, full).map_err(raise)?,
            projected: Projected::default(),
            coupling: vec![Vec::new(); width],
            next: first.collect(),
            piece: 0,
            is_broken: false,
            is_fresh: false,
            fixed: 0,
            products: 0,
            width,
            fresh: (self.seed, drawn),
        };
        self.search(operator, &mut growth, full)
    }

    fn search<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        growth: &mut Growth<A::Vector>,
        full: usize,
    ) -> Result<Eigenpairs<A::Vector>, KrylovError<A::Error>> {
        let epsilon = growth.next.first().map_or(0.0, VectorSpace::epsilon);
        let tolerance = self.tolerance.max(32.0 * epsilon);
        let (mut restarts, mut iterations, mut size) = (0, 0, 0.0_f64);
        loop {
            // A block that was stopped has left the space as it was, and that had not converged.
            let is_cut_short = match growth.step(operator) {
                Err(error) if error.is_stop(operator) && !growth.basis.is_empty() => true,
                done => {
                    done?;
                    false
                }
            };
            iterations += usize::from(!is_cut_short);
            let all = growth.projected.eigen(0..growth.basis.len());
            let values: Vec<f64> = all.iter().map(|pair| pair.0).collect();
            size = values.iter().fold(size, |size, x| size.max(x.abs()));
            let goal = tolerance * size;
            let noise = 4.0 * epsilon * size;
            // What is nothing, where eigenvalues far out at the other end make the goal large.
            let (what, apart) = ((self.end, self.k), Apart::of(growth.width));
            let near = goal.min(apart.residual(what, &values, (tolerance, noise)));
            let wanted = self.end.outermost(all.clone(), self.k);
            let residuals = wanted.iter().map(|(_, vector)| growth.residual(vector));
            let residual = residuals.fold(0.0, f64::max);
            let step = Step::new("eigenpairs", growth.products)
                .with_limit(self.max_products)
                .with_value(wanted.first().map(|pair| pair.0))
                .with_error(residual)
                .with_goal(goal);
            let mut is_stopped = is_cut_short || operator.report(&step).is_break();
            let is_good = !is_cut_short
                && wanted.len() == self.k
                && residual <= near
                && growth.has_settled(what, iterations, (near, tolerance, noise));
            if is_good && growth.coupling() <= near / 2.0 {
                // All pairs of this space have converged, and copies of theirs may be missing.
                growth.exhaust().map_err(raise)?;
            }
            let is_spanned = growth.next.is_empty();
            let is_done = is_good
                && growth
                    .newest()
                    .is_none_or(|newest| is_complete(values, newest, what, (growth.width, near)));
            let room = growth.products + growth.next.len() + self.k;
            if is_done || is_spanned || is_stopped || room > self.max_products {
                let estimated = growth.pairs(wanted).map_err(raise)?;
                let (pairs, checks) = if is_stopped {
                    (of_norm_one(estimated).map_err(raise)?, 0)
                } else {
                    let (pairs, checks) = measured(operator, estimated, growth.products)?;
                    is_stopped |= checks < pairs.len();
                    (pairs, checks)
                };
                let allowed = goal + 64.0 * epsilon * size;
                let is_small = pairs.iter().all(|pair| pair.residual <= allowed);
                let has_converged = is_small && pairs.len() == self.k && (is_done || is_spanned);
                return Ok(Eigenpairs {
                    outcome: Outcome::of(has_converged, is_stopped),
                    products: growth.products + checks,
                    pairs,
                    goal,
                    restarts,
                });
            }
            if growth.basis.len() + growth.next.len() > full {
                let most = full - growth.next.len();
                let keep = self
                    .end
                    .outermost(all, kept(self.k, full).min(most).max(self.k));
                growth.restart(&keep, full).map_err(raise)?;
                restarts += 1;
            }
        }
    }
}

/// A block Krylov space: `A Qᵀ = Qᵀ T + Wᵀ C` with the next block `W`.
struct Growth<V: VectorSpace> {
    basis: V::Block,
    projected: Projected,
    next: Vec<V>,
    /// `C`: for each vector of the next block, what the basis' products have along it.
    coupling: Vec<Vec<f64>>,
    /// Where the newest space begins, whether any was exhausted, and whether the next block holds
    /// vectors that were drawn anew.
    piece: usize,
    is_broken: bool,
    is_fresh: bool,
    /// Ritz vectors that the last restart kept.
    fixed: usize,
    products: usize,
    width: usize,
    /// Seed, and random vectors drawn so far.
    fresh: (u64, u64),
}

impl<V: VectorSpace> Growth<V> {
    fn step<A: SelfAdjoint<Vector = V> + ?Sized>(
        &mut self,
        operator: &A,
    ) -> Result<(), KrylovError<A::Error>> {
        let products = products(operator, &self.next, self.products)?;
        let block = std::mem::take(&mut self.next);
        self.products += block.len();
        let before = self.basis.len();
        self.grow(block, products, before).map_err(raise)
    }

    fn grow(&mut self, block: Vec<V>, products: Vec<V>, before: usize) -> Result<(), V::Error> {
        let epsilon = block.first().map_or(0.0, VectorSpace::epsilon);
        if std::mem::take(&mut self.is_fresh) {
            self.piece = before;
        }
        for v in block {
            self.basis.push(v)?;
        }
        let mut rests = Vec::with_capacity(products.len());
        for (index, product) in products.into_iter().enumerate() {
            let (mut row, rest) = split(&self.basis, product)?;
            rests.push(rest);
            row.truncate(before + index + 1);
            self.projected.push(row);
        }
        let len = self.basis.len();
        let smallest = 64.0 * epsilon * self.projected.bound();
        let space = self.basis.space();
        let mut next = V::Block::with_capacity(&space, self.width)?;
        self.coupling.clear();
        for (index, rest) in rests.into_iter().enumerate() {
            let along = next.dots(&rest)?;
            for (row, value) in self.coupling.iter_mut().zip(along) {
                row[before + index] = value;
            }
            let outside = next.reject(rest)?;
            let norm = outside.norm()?;
            if norm > smallest && len + next.len() < V::dimension(&space) {
                let unit = self.basis.reject(divided(outside, norm))?;
                let unit = next.reject(unit)?;
                let rounding = unit.norm()?;
                next.push(divided(unit, rounding))?;
                let mut row = vec![0.0; len];
                row[before + index] = norm;
                self.coupling.push(row);
            }
        }
        if next.is_empty() {
            return self.fill(next);
        }
        // A part of the block is exhausted and the rest goes on alone: fresh vectors come all at once, so
        // that what they find can be told from what there was.
        self.next = (0..next.len())
            .filter_map(|index| next.get(index))
            .collect();
        Ok(())
    }

    /// The Frobenius norm of the coupling: no residual is larger.
    fn coupling(&self) -> f64 {
        length(self.coupling.iter().flatten().copied())
    }

    /// Takes the space as exhausted: fresh vectors come next.
    fn exhaust(&mut self) -> Result<(), V::Error> {
        if self.coupling.iter().flatten().all(|c| *c == 0.0) {
            return Ok(());
        }
        self.coupling.clear();
        let next = V::Block::with_capacity(&self.basis.space(), self.width)?;
        self.fill(next)
    }

    /// Random vectors in place of those that an exhausted space does not have.
    fn fill(&mut self, mut next: V::Block) -> Result<(), V::Error> {
        let (space, len) = (self.basis.space(), self.basis.len());
        let left = V::dimension(&space) - len;
        let mut tries = 4 * self.width;
        while next.len() < self.width.min(left) && tries > 0 {
            tries -= 1;
            let v = Probe::Gaussian.draw::<V>(&space, self.fresh.0, self.fresh.1)?;
            self.fresh.1 += 1;
            let norm = v.norm()?;
            let rest = next.reject(self.basis.reject(v)?)?;
            let remainder = rest.norm()?;
            if remainder > norm * rest.epsilon().sqrt() {
                let rest = self.basis.reject(divided(rest, remainder))?;
                let rest = next.reject(rest)?;
                let length = rest.norm()?;
                next.push(divided(rest, length))?;
                self.coupling.push(vec![0.0; len]);
                (self.is_broken, self.is_fresh) = (true, true);
            }
        }
        self.next = (0..next.len())
            .filter_map(|index| next.get(index))
            .collect();
        Ok(())
    }

    /// Ritz pairs with these coefficients, and residuals by the recurrence.
    fn pairs(&self, ritz: Vec<(f64, Vec<f64>)>) -> Result<Vec<Eigenpair<V>>, V::Error> {
        let pair = |(value, coefficients): (f64, Vec<f64>)| {
            Ok(Eigenpair {
                value,
                vector: self.basis.combine(&coefficients)?,
                residual: self.residual(&coefficients),
            })
        };
        ritz.into_iter().map(pair).collect()
    }

    /// `|C s|`.
    fn residual(&self, vector: &[f64]) -> f64 {
        let along = |row: &Vec<f64>| row.iter().zip(vector).map(|(c, s)| c * s).sum::<f64>();
        length(self.coupling.iter().map(along))
    }

    /// Whether the wanted values have [settled](Settled) after so many iterations. Of spaces that were
    /// exhausted the residuals say it.
    fn has_settled(
        &self,
        (end, k): (End, usize),
        degree: usize,
        (goal, tolerance, noise): (f64, f64, f64),
    ) -> bool {
        if self.is_broken {
            return true;
        }
        let all = self.projected.eigen(0..self.basis.len()).into_iter();
        let pairs = all.map(|(value, vector)| (value, self.residual(&vector)));
        let pairs: Vec<(f64, f64)> = pairs.collect();
        let settled = Settled {
            projected: &self.projected,
            first: 0,
            fixed: self.fixed,
            width: self.width,
            degree,
            noise,
            goal,
            tolerance,
        };
        settled.is(end, &pairs, k)
    }

    /// The Ritz values of the newest space with their residuals, once one was exhausted.
    fn newest(&self) -> Option<Vec<(f64, f64)>> {
        if !self.is_broken {
            return None;
        }
        let piece = self.piece;
        let pairs = self.projected.eigen(piece..self.basis.len()).into_iter();
        let padded = |vector: Vec<f64>| [vec![0.0; piece], vector].concat();
        let pairs = pairs.map(|(value, vector)| (value, self.residual(&padded(vector))));
        Some(pairs.collect())
    }

    fn restart(&mut self, kept: &[(f64, Vec<f64>)], full: usize) -> Result<(), V::Error> {
        let rows: Vec<&[f64]> = kept.iter().map(|(_, vector)| vector.as_slice()).collect();
        let turned = self.basis.rotate(&Dense::from_rows(&rows)?)?;
        let along = |row: &[f64], s: &[f64]| row.iter().zip(s).map(|(c, s)| c * s).sum::<f64>();
        for row in &mut self.coupling {
            *row = rows.iter().map(|s| along(row, s)).collect();
        }
        // The old basis is let go before there is room for a new one.
        self.basis = turned;
        let mut roomy = V::Block::with_capacity(&self.basis.space(), full)?;
        for v in (0..self.basis.len()).filter_map(|index| self.basis.get(index)) {
            roomy.push(v)?;
        }
        self.basis = roomy;
        let values: Vec<f64> = kept.iter().map(|(value, _)| *value).collect();
        self.projected = Projected::diagonal(&values);
        self.piece = kept.len();
        self.fixed = kept.len();
        Ok(())
    }
}
