use super::{Eigenpair, Eigenpairs, EigenpairsConfig, Ending, Which, kept};
use crate::basis::{first_block, outside, polished};
use crate::lanczos::{Apart, Projected, Settled, is_complete};
use crate::operator::unchecked_products;
use crate::vector::length;
use crate::{Dense, KrylovFault, Probe, SelfAdjoint, Square, Step, VectorBlock, VectorSpace};

impl EigenpairsConfig {
    /// Block Lanczos with thick restarts. The space grows by a block a step; where a part of the block is exhausted, the
    /// rest continues alone.
    ///
    /// The first block consists of the given vectors and random ones; it has as many vectors as there are starts, if that
    /// is more.
    pub(super) fn block_lanczos<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        starts: &[<A as Square>::Vector],
    ) -> Result<Eigenpairs<A::Vector>, A::Error> {
        let space = operator.domain();
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        let block = self.block();
        if block == 0 || block > dimension {
            return Err(KrylovFault::TooMany {
                name: "vectors of a block",
                asked: block,
                available: dimension,
            }
            .into());
        }
        let width = block.max(starts.len()).min(dimension);
        let needed = (self.k + 2 * width).min(dimension);
        if self.max_basis() < needed {
            return Err(KrylovFault::BasisTooSmall {
                vectors: self.max_basis(),
                needed,
            }
            .into());
        }
        let mut drawn = 0;
        let first = first_block::<A::Vector>(&space, starts, width, (self.seed, &mut drawn))?;
        let full = self.max_basis().min(dimension);
        let mut growth = Growth::<A::Vector> {
            basis: <A::Vector as VectorSpace>::Block::with_capacity(&space, full)?,
            projected: Projected::default(),
            coupling: vec![Vec::new(); width],
            next: first.vectors().collect::<Result<_, _>>()?,
            piece: 0,
            is_broken: false,
            is_fresh: false,
            fixed: 0,
            num_matvecs: 0,
            width,
            fresh: (self.seed, drawn),
        };
        let epsilon = growth.next.first().map_or(0.0, VectorSpace::epsilon);
        let tolerance = self.tolerance().max(32.0 * epsilon);
        let (mut restarts, mut iterations, mut size) = (0, 0, 0.0_f64);
        loop {
            // A stopped block leaves the space unchanged, and it had not converged before.
            let is_cut_short = match growth.step(operator) {
                Err(error) if operator.is_stop(&error) && !growth.basis.is_empty() => true,
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
            // A small residual where eigenvalues far out at the other end make the goal large.
            let (what, apart) = ((self.which, self.k), Apart::of(growth.width));
            let near = goal.min(apart.residual(what, &values, (tolerance, noise)));
            let wanted = self.which.outermost(all.clone(), self.k);
            let residuals = wanted.iter().map(|(_, vector)| growth.residual(vector));
            let residual = residuals.fold(0.0, f64::max);
            let step = Step::new("eigenpairs", growth.num_matvecs)
                .with_limit(self.max_matvecs())
                .with_value(wanted.first().map(|pair| pair.0))
                .with_error(residual)
                .with_goal(goal);
            let is_stopped = is_cut_short || operator.report(&step).is_break();
            let is_good = !is_cut_short
                && wanted.len() == self.k
                && residual <= near
                && growth.has_settled(what, iterations, (near, tolerance, noise));
            if is_good && growth.coupling() <= near / 2.0 {
                // All pairs of this space have converged, and copies of theirs may be missing.
                growth.exhaust()?;
            }
            let is_spanned = growth.next.is_empty();
            let is_done = is_good
                && growth
                    .newest()
                    .is_none_or(|newest| is_complete(values, newest, what, (growth.width, near)));
            let room = growth.num_matvecs + growth.next.len() + self.k;
            if is_done || is_spanned || is_stopped || room > self.max_matvecs() {
                let estimated = growth.pairs(wanted)?;
                let ending = Ending {
                    is_found: estimated.len() == self.k && (is_done || is_spanned),
                    is_stopped,
                    is_measured: true,
                    goal,
                    rounding: 64.0 * epsilon * size,
                    num_matvecs: growth.num_matvecs,
                    num_restarts: restarts,
                };
                return ending.result(operator, estimated);
            }
            if growth.basis.len() + growth.next.len() > full {
                let most = full - growth.next.len();
                let keep = self
                    .which
                    .outermost(all, kept(self.k, full).min(most).max(self.k));
                growth.restart(&keep)?;
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
    /// `C`: the components of the products of the basis along each vector of the next block.
    coupling: Vec<Vec<f64>>,
    /// Where the newest space begins, whether any was exhausted, and whether the next block holds
    /// vectors that were drawn anew.
    piece: usize,
    is_broken: bool,
    is_fresh: bool,
    /// Ritz vectors that the last restart kept.
    fixed: usize,
    num_matvecs: usize,
    width: usize,
    /// Seed, and random vectors drawn so far.
    fresh: (u64, u64),
}

impl<V: VectorSpace> Growth<V> {
    fn step<A: SelfAdjoint<Vector = V> + ?Sized>(&mut self, operator: &A) -> Result<(), A::Error> {
        let products = unchecked_products(operator, &self.next)?;
        let block = std::mem::take(&mut self.next);
        let done = self.num_matvecs;
        self.num_matvecs += block.len();
        Ok(self.grow(block, products, done)?)
    }

    /// Takes in the products of a block, after `done` others.
    fn grow(&mut self, block: Vec<V>, products: Vec<V>, done: usize) -> Result<(), V::Error> {
        let before = self.basis.len();
        let epsilon = block.first().map_or(0.0, VectorSpace::epsilon);
        if std::mem::take(&mut self.is_fresh) {
            self.piece = before;
        }
        for v in block {
            self.basis.push(v)?;
        }
        let mut rests = Vec::with_capacity(products.len());
        for (index, product) in products.into_iter().enumerate() {
            let (mut row, rest, [size, _]) = self.basis.split(product, &[0, 0])?;
            if !(size.is_finite() && row.iter().all(|x| x.is_finite())) {
                let product = done + index;
                return Err(KrylovFault::NonFinite { product }.into());
            }
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
            let (along, outside, [_, norm]) = next.split(rest, &[0])?;
            for (row, value) in self.coupling.iter_mut().zip(along) {
                row[before + index] = value;
            }
            if norm > smallest && len + next.len() < V::dimension(&space) {
                let Some(unit) = polished(&[&self.basis, &next], outside, norm)? else {
                    continue;
                };
                next.push(unit)?;
                let mut row = vec![0.0; len];
                row[before + index] = norm;
                self.coupling.push(row);
            }
        }
        if next.is_empty() {
            return self.fill(next);
        }
        // A part of the block is exhausted and the rest continues alone: fresh vectors come all at once, so
        // that what they find can be distinguished from what there was.
        self.next = next.vectors().collect::<Result<_, _>>()?;
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
            let least = v.epsilon().sqrt();
            if let Some(unit) = outside(&[&self.basis, &next], v, least)? {
                next.push(unit)?;
                self.coupling.push(vec![0.0; len]);
                (self.is_broken, self.is_fresh) = (true, true);
            }
        }
        self.next = next.vectors().collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Ritz pairs with these coefficients, and residuals by the recurrence.
    fn pairs(&self, ritz: Vec<(f64, Vec<f64>)>) -> Result<Vec<Eigenpair<V>>, V::Error> {
        let pair = |(value, coefficients): (f64, Vec<f64>)| {
            Ok(Eigenpair {
                value,
                vector: self.basis.linear_combination(&coefficients)?,
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
    /// exhausted the residuals decide.
    fn has_settled(
        &self,
        (which, k): (Which, usize),
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
        settled.is(which, &pairs, k)
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

    fn restart(&mut self, kept: &[(f64, Vec<f64>)]) -> Result<(), V::Error> {
        let rows: Vec<&[f64]> = kept.iter().map(|(_, vector)| vector.as_slice()).collect();
        self.basis = self.basis.transform(&Dense::from_rows(&rows)?)?;
        let along = |row: &[f64], s: &[f64]| row.iter().zip(s).map(|(c, s)| c * s).sum::<f64>();
        for row in &mut self.coupling {
            *row = rows.iter().map(|s| along(row, s)).collect();
        }
        let values: Vec<f64> = kept.iter().map(|(value, _)| *value).collect();
        self.projected = Projected::diagonal(&values);
        self.piece = kept.len();
        self.fixed = kept.len();
        Ok(())
    }
}
