use std::ops::ControlFlow;

use super::{Eigenpairs, EigenpairsConfig, Ending, Which, kept};
use crate::basis::orthonormal;
use crate::lanczos::{Apart, Trial, is_complete};
use crate::{
    KrylovFault, LanczosFactorization, Probe, SelfAdjoint, Square, Step, VectorBlock, VectorSpace,
};

/// Vectors in memory in addition to the basis: the next one, its product, the remainder, a copy.
const AT_WORK: usize = 4;
/// The random part of a warm start, relative to the rest: enough for a pair that was not among the
/// old ones to be found, too little to slow the others down.
const EXPLORATION: f64 = 1e-2;

impl EigenpairsConfig {
    /// Lanczos with thick restarts.
    ///
    /// The run stops when the estimated residuals of all `k` pairs are at most the goal, or at the limit of products;
    /// true residuals are then measured. Where an eigenvalue far out at the other end makes that goal larger than the
    /// distances at this end, the residuals must be a fifty-thousandth of the breadth of the spectrum without it, and the
    /// values must have settled.
    pub(super) fn lanczos<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        starts: &[<A as Square>::Vector],
        report: &mut dyn FnMut(Step) -> ControlFlow<()>,
    ) -> Result<Eigenpairs<A::Vector>, A::Error> {
        let space = operator.domain();
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        let needed = (self.k + 2).min(dimension);
        if self.max_basis() < needed {
            return Err(KrylovFault::BasisTooSmall {
                vectors: self.max_basis(),
                needed,
            }
            .into());
        }
        let start = warm(Probe::Gaussian.draw(&space, self.seed, 0)?, starts)?;
        let epsilon = start.epsilon();
        let tolerance = self.tolerance().max(32.0 * epsilon);
        let full = self.basis_within_memory(dimension, start.num_bytes())?;
        let mut record = LanczosFactorization::new(space, start, self.seed, full)?;
        let (mut restarts, mut size) = (0, 0.0_f64);
        let mut known: (Option<f64>, Option<f64>, Option<f64>) = (None, None, None);
        let mut trial: Option<Trial> = None;
        let checks = if self.has_estimates { 0 } else { self.k };
        loop {
            record.grow(operator)?;
            // A stopped product leaves the factorization unchanged, and it had not converged before.
            let is_cut_short = record.is_stopped();
            let is_full = record.len() >= full;
            let mut at_limit = is_cut_short || record.num_matvecs() + checks >= self.max_matvecs();
            let products = record.num_matvecs();
            let step = |(value, error, goal): (Option<f64>, Option<f64>, Option<f64>)| {
                let step = Step::new("eigenpairs", products).with_limit(self.max_matvecs());
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
            // A restart drops the other end, and the norm is still known.
            size = pairs.iter().fold(size, |size, pair| size.max(pair.0.abs()));
            let values: Vec<f64> = pairs.iter().map(|pair| pair.0).collect();
            let wanted = self.which.outermost(pairs.clone(), self.k);
            let goal = tolerance * size;
            let noise = 4.0 * epsilon * size;
            // A small residual where eigenvalues far out at the other end make the goal large.
            let (what, apart) = ((self.which, self.k), Apart::ONE_VECTOR);
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
                && record.has_settled(self.which, &outermost, (near, tolerance, noise));
            if is_good && record.beta() > 0.0 && record.beta() <= near / 2.0 {
                // All pairs of this space have converged, and copies of theirs may be missing.
                record.exhaust()?;
            }
            let newest = record.newest_residuals();
            let mut is_done = is_good
                && (newest.is_empty()
                    || is_complete(record.ritz_values(), newest.clone(), what, (1, near)));
            let is_spanned =
                record.is_invariant() && (record.len() == dimension || record.next.is_none());
            let mut is_new = false;
            if let Some(trial) = &trial {
                let progress = (record.num_matvecs(), dimension);
                is_done = !trial.has_found
                    && (is_done
                        || is_small && trial.rules_out(self.which, &newest, &outermost, progress));
                // It has found an eigenvalue that is wanted, and there may be more of them.
                is_new = is_good && !is_done;
            } else if self.is_verified && is_done && newest.is_empty() {
                (is_done, is_new) = (false, true);
            }
            if is_new && !at_limit && !is_spanned {
                let is_one_ended = matches!(self.which, Which::Largest | Which::Smallest);
                let far = self.which.outermost(pairs.clone(), pairs.len()).pop();
                let has_far = is_one_ended
                    && pairs.len() > self.k
                    && far.is_some_and(|(_, vector)| residual(&vector) <= near);
                let held = self.k + usize::from(has_far);
                let kept = Trial::ordered(self.which, pairs, (self.k, held), has_far);
                record.renew(&kept, largest)?;
                let since = record.num_matvecs();
                trial = Some(Trial {
                    held,
                    known: outermost,
                    since,
                    has_found: false,
                });
                continue;
            }
            if is_done || is_spanned || at_limit {
                let wanted = record.outermost(self.which, self.k.min(record.len()))?;
                let ending = Ending {
                    is_found: is_done || is_spanned,
                    is_stopped,
                    is_measured: !self.has_estimates,
                    goal,
                    rounding: 64.0 * epsilon * size,
                    num_matvecs: record.num_matvecs(),
                    num_restarts: restarts,
                };
                return ending.result(operator, wanted);
            }
            if is_full {
                let keep = kept(self.k, full);
                let held = trial.as_ref().map_or(self.k, |trial| trial.held);
                let kept =
                    Trial::ordered(self.which, pairs, (self.k, keep.max(held)), held > self.k);
                record.restart(&kept)?;
                if let Some(trial) = &mut trial {
                    // What it has found is among the pairs that are held now.
                    let mut newest = newest.iter();
                    trial.has_found |=
                        newest.any(|pair| self.which.beyond(&trial.known, pair.0) > near);
                    record.piece = held;
                }
                restarts += 1;
            }
        }
    }

    /// The most vectors that the basis may have, under the cap on memory as well.
    fn basis_within_memory(&self, dimension: usize, bytes: usize) -> Result<usize, KrylovFault> {
        let full = self.max_basis().min(dimension);
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
            .ok_or(KrylovFault::MemoryTooSmall {
                bytes: cap,
                needed: total(fewest),
            })
    }
}

/// The sum of the orthonormalized `starts` and a little of `random`; `random` if there are none.
fn warm<V: VectorSpace>(random: V, starts: &[V]) -> Result<V, V::Error> {
    let basis = orthonormal(&random.space(), starts, "starts")?;
    if basis.is_empty() {
        return Ok(random);
    }
    let sum = basis.linear_combination(&vec![1.0; basis.len()])?;
    let length = random.norm()?;
    let part = EXPLORATION * (basis.len() as f64).sqrt() / length;
    sum.axpy(part, &random)
}

fn last(vector: &[f64]) -> f64 {
    vector.last().copied().unwrap_or(0.0).abs()
}
