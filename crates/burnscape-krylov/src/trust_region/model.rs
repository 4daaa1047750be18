use super::secular::{Maximizer, Secular};
use crate::eigen::Eigenpair;
use crate::{LanczosFactorization, SelfAdjoint, Step, VectorBlock, VectorSpace};

/// A maximizer in a subspace, as vectors.
pub(super) struct Found<V> {
    pub(super) v: V,
    /// The unit eigenvector and the length along it that may be added or taken away.
    pub(super) hard: Option<(V, f64)>,
    pub(super) multiplier: f64,
    pub(super) is_inside: bool,
    /// The largest Ritz value by absolute value.
    pub(super) size: f64,
    pub(super) num_matvecs: usize,
    pub(super) is_stopped: bool,
    /// The value of the quadratic and the residual, without a product.
    pub(super) value: f64,
    pub(super) residual: f64,
}

/// Settings that the runs of one problem share.
pub(super) struct Run {
    pub(super) radius: f64,
    /// `|g|`.
    pub(super) gradient: f64,
    pub(super) tolerance: f64,
    pub(super) max_matvecs: usize,
    pub(super) seed: u64,
    /// −1 for a minimum, which is found as the maximum of the negative.
    pub(super) sign: f64,
}

impl Run {
    /// The largest residual allowed: `tolerance (|g| + |H| |v|)`.
    pub(super) fn goal(&self, size: f64, length: f64) -> f64 {
        self.tolerance * (self.gradient + size * length)
    }

    /// The maximizer in the Krylov space of `start`, together with an eigenvector that `start` and the
    /// operator know nothing of (the operator is deflated by it), along which the gradient is
    /// `share`.
    ///
    /// The residual of a maximizer in a Krylov space is `β |y|` with the last coordinate `y`, so that
    /// no product is needed to know when to stop. Where the space is exhausted it is zero.
    pub(super) fn maximize<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        start: A::Vector,
        beside: Option<(&Eigenpair<A::Vector>, f64)>,
        before: usize,
    ) -> Result<Found<A::Vector>, A::Error> {
        let norm = start.norm()?;
        let space = operator.domain();
        let limit = self.max_matvecs.min(A::Vector::dimension(&space));
        let mut record = LanczosFactorization::new(space, start, self.seed, limit.min(16))?;
        let mut known = (None, None, None);
        loop {
            record.grow(operator)?;
            // A product that was stopped has left the factorization as it was.
            let is_cut_short = record.is_stopped();
            let is_last = record.is_invariant() || record.len() >= limit;
            // The small eigenproblem grows with the third power.
            let is_due = record.len() <= 12 || record.len() % 4 == 0 || is_last;
            let report = |(value, residual, goal): (Option<f64>, Option<f64>, Option<f64>)| {
                let step = Step::new("trust region", before + record.num_matvecs())
                    .with_limit(before + limit)
                    .with_value(value)
                    .with_error(residual)
                    .with_goal(goal);
                operator.report(&step).is_break()
            };
            if !is_due && !is_cut_short {
                if !report(known) {
                    continue;
                }
                let small = Small::new(&record, norm, beside, self);
                return small.found(&record, beside, true);
            }
            let small = Small::new(&record, norm, beside, self);
            let goal = self.goal(small.size, small.length);
            known = (
                Some(self.sign * small.value),
                Some(small.residual),
                Some(goal),
            );
            let is_stopped = is_cut_short || report(known);
            let is_done = small.residual <= goal;
            if is_done || is_last || is_stopped {
                return small.found(&record, beside, is_stopped);
            }
        }
    }
}

/// The problem in a basis, solved.
struct Small {
    pairs: Vec<(f64, Vec<f64>)>,
    maximizer: Maximizer,
    /// Of the quadratic.
    value: f64,
    residual: f64,
    size: f64,
    length: f64,
}

impl Small {
    fn new<V: VectorSpace>(
        record: &LanczosFactorization<V>,
        norm: f64,
        beside: Option<(&Eigenpair<V>, f64)>,
        run: &Run,
    ) -> Self {
        let pairs = record.ritz_pairs();
        let mut values: Vec<f64> = pairs.iter().map(|(value, _)| *value).collect();
        let first = |vector: &[f64]| vector.first().copied().unwrap_or(0.0);
        let mut gradient: Vec<f64> = pairs.iter().map(|(_, s)| norm * first(s)).collect();
        if let Some((pair, share)) = beside {
            values.push(pair.value);
            gradient.push(share);
        }
        let problem = Secular {
            values: &values,
            gradient: &gradient,
            radius: run.radius,
            negligible: run.tolerance * run.gradient,
        };
        let maximizer = problem.solve();
        let last = |s: &[f64]| s.last().copied().unwrap_or(0.0);
        let coordinates = pairs.iter().zip(&maximizer.y);
        let mut tail: f64 = coordinates.map(|((_, s), y)| last(s) * y).sum();
        if let Some((index, length)) = maximizer.hard
            && let Some((_, s)) = pairs.get(index)
        {
            // Either sign may be chosen.
            tail = tail.abs() + (last(s) * length).abs();
        }
        let hard = maximizer.hard.map_or(0.0, |(_, length)| length);
        let inner = crate::vector::length(maximizer.y.iter().copied());
        let terms = values.iter().zip(&gradient).zip(&maximizer.y);
        let along: f64 = terms.map(|((d, c), y)| c * y + 0.5 * d * y * y).sum();
        let largest = values.iter().fold(0.0_f64, |most, d| most.max(*d));
        Self {
            value: along + 0.5 * largest * hard * hard,
            residual: (record.beta() * tail).abs(),
            size: values.iter().fold(0.0_f64, |size, d| size.max(d.abs())),
            length: inner.hypot(hard),
            pairs,
            maximizer,
        }
    }

    fn found<V: VectorSpace, E: From<V::Error>>(
        self,
        record: &LanczosFactorization<V>,
        beside: Option<(&Eigenpair<V>, f64)>,
        is_stopped: bool,
    ) -> Result<Found<V>, E> {
        let Self {
            pairs,
            maximizer,
            size,
            value,
            residual,
            ..
        } = self;
        let combined = |weights: &[f64]| {
            let mut sum = vec![0.0; record.len()];
            for ((_, s), weight) in pairs.iter().zip(weights) {
                sum.iter_mut()
                    .zip(s)
                    .for_each(|(sum, s)| *sum += weight * s);
            }
            record.basis().linear_combination(&sum)
        };
        let mut v = combined(&maximizer.y)?;
        if let (Some((pair, _)), Some(y)) = (beside, maximizer.y.get(pairs.len())) {
            v = v.axpy(*y, &pair.vector)?;
        }
        let hard = match maximizer.hard {
            None => None,
            Some((index, length)) => {
                let vector = match (pairs.get(index), beside) {
                    (None, Some((pair, _))) => pair.vector.clone(),
                    _ => {
                        let mut weights = vec![0.0; pairs.len()];
                        weights[index] = 1.0;
                        combined(&weights)?
                    }
                };
                Some((vector, length))
            }
        };
        Ok(Found {
            v,
            hard,
            multiplier: maximizer.multiplier,
            is_inside: maximizer.is_inside,
            size,
            num_matvecs: record.num_matvecs(),
            is_stopped,
            value,
            residual,
        })
    }
}
