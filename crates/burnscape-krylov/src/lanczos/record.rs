use super::measure::{Measured, measured, of_norm_one};
use super::projected::Projected;
use super::{Eigenpair, End, Settled};
use crate::error::raise;
use crate::vector::{divided, remove};
use crate::{Dense, KrylovError, Probe, SelfAdjoint, Step, VectorBlock, VectorSpace};

/// After a pass of Gram-Schmidt that left this much of a vector, `1/√2`, there is no need for another:
/// the criterion of Daniel, Gragg, Kaufman and Stewart (1976).
const MOST_IS_LEFT: f64 = std::f64::consts::FRAC_1_SQRT_2;

/// What a Lanczos run found: an orthonormal basis `Q`, the operator in it, and where to go on.
///
/// `A Qᵀ = Qᵀ T + r eᵀ` holds to rounding after every step. A record answers many questions without new
/// products: Ritz values and their residuals, [quadrature](Self::quadrature) and what follows from it
/// (traces, the log-determinant, the density), [`f(A) b`](Self::apply), how many eigenvalues are
/// [in a range](Self::count_in). It can be [extended](Self::extend): an extended run is the
/// uninterrupted one, bit for bit; and [kept](Self::state) between processes.
#[derive(Debug, Clone)]
pub struct KrylovRecord<V: VectorSpace> {
    pub(super) space: V::Space,
    pub(super) basis: V::Block,
    pub(super) projected: Projected,
    /// The next vector, of norm one, and what it was scaled by; none if nothing is left.
    pub(super) next: Option<V>,
    pub(super) beta: f64,
    pub(super) products: usize,
    /// Norm of the start.
    pub(super) length: f64,
    pub(super) seed: u64,
    /// Random vectors drawn so far.
    pub(super) drawn: u64,
    /// Length of the first Krylov space, once it is exhausted.
    pub(super) first: Option<usize>,
    /// The largest step that was taken for nothing, below a tolerance.
    pub(super) dropped: f64,
    /// Where the newest Krylov space begins.
    pub(super) piece: usize,
    pub(super) restarted: bool,
    /// Ritz vectors that the last restart kept.
    pub(super) fixed: usize,
    /// Vectors the basis has room for.
    pub(super) capacity: usize,
    pub(super) is_stopped: bool,
}

impl<V: VectorSpace> KrylovRecord<V> {
    pub(crate) fn new<E>(start: V, seed: u64, capacity: usize) -> Result<Self, KrylovError<E>>
    where
        E: From<V::Error>,
    {
        let space = start.space();
        let norm = start.norm().map_err(raise)?;
        if !(norm > 0.0 && norm.is_finite()) {
            return Err(KrylovError::OutOfBounds {
                name: "start",
                value: norm,
                allowed: "a vector with a positive, finite norm",
            });
        }
        let capacity = capacity.min(V::dimension(&space));
        Ok(Self {
            basis: V::Block::with_capacity(&space, capacity).map_err(raise)?,
            space,
            projected: Projected::default(),
            next: Some(divided(start, norm)),
            beta: 0.0,
            products: 0,
            length: norm,
            seed,
            drawn: 1,
            first: None,
            dropped: 0.0,
            piece: 0,
            restarted: false,
            fixed: 0,
            capacity,
            is_stopped: false,
        })
    }

    /// Continues for `steps` products, or until the whole space is spanned, or an observer of the operator
    /// [ends it](Self::is_stopped).
    ///
    /// # Errors
    ///
    /// [`KrylovError::NonFinite`], [`KrylovError::Operator`]. The record is then as it was after the
    /// last step that succeeded.
    pub fn extend<A: SelfAdjoint<Vector = V> + ?Sized>(
        &mut self,
        operator: &A,
        steps: usize,
    ) -> Result<(), KrylovError<A::Error>> {
        V::check_same(&self.space, &operator.domain()).map_err(raise)?;
        self.is_stopped = false;
        let limit = self.products.saturating_add(steps);
        while self.products < limit && self.next.is_some() {
            self.grow(operator)?;
            if self.is_stopped {
                break;
            }
            let step = Step::new("Lanczos", self.products).with_limit(limit);
            if operator.report(&step.with_error(self.beta)).is_break() {
                self.is_stopped = true;
                break;
            }
        }
        Ok(())
    }

    /// Makes a step, and reports nothing. A record that has steps takes a product that an observer ended as
    /// [an end of the run](Self::is_stopped).
    pub(crate) fn grow<A: SelfAdjoint<Vector = V> + ?Sized>(
        &mut self,
        operator: &A,
    ) -> Result<(), KrylovError<A::Error>> {
        self.is_stopped = false;
        let before = self.basis.len();
        let Err(error) = self.step(operator) else {
            return Ok(());
        };
        self.basis.truncate(before);
        self.is_stopped = before > 0 && error.is_stop(operator);
        if self.is_stopped { Ok(()) } else { Err(error) }
    }

    fn step<A: SelfAdjoint<Vector = V> + ?Sized>(
        &mut self,
        operator: &A,
    ) -> Result<(), KrylovError<A::Error>> {
        let Some(q) = self.next.clone() else {
            return Ok(());
        };
        let product = operator.matvec(&q)?;
        let epsilon = q.epsilon();
        let alpha = q.dot(&product).map_err(raise)?;
        // What the recurrence says is taken out first, so that the pass over the basis finds no more
        // than rounding (and what a restart left).
        let mut rest = product.axpy(-alpha, &q).map_err(raise)?;
        let previous = self.basis.len().checked_sub(1).filter(|_| self.beta > 0.0);
        if let Some(previous) = previous.and_then(|index| self.basis.get(index)) {
            rest = rest.axpy(-self.beta, &previous).map_err(raise)?;
        }
        let size = rest.norm().map_err(raise)?;
        if !(alpha.is_finite() && size.is_finite()) {
            return Err(KrylovError::NonFinite {
                product: self.products,
            });
        }
        self.basis.push(q).map_err(raise)?;
        let mut row = self.basis.dots(&rest).map_err(raise)?;
        rest = remove(&self.basis, rest, &row).map_err(raise)?;
        // What is left is orthogonal to what was taken out: where that is little, the norm need not be
        // measured.
        let share = |part: &f64| (part / size).powi(2);
        let taken: f64 = row.iter().map(share).sum();
        let mut beta = if size > 0.0 {
            size * (1.0 - taken).max(0.0).sqrt()
        } else {
            0.0
        };
        // A second pass takes out what rounding left of the first, where the first took out enough for
        // that to count.
        if beta < MOST_IS_LEFT * size {
            let second = self.basis.dots(&rest).map_err(raise)?;
            rest = remove(&self.basis, rest, &second).map_err(raise)?;
            row.iter_mut().zip(&second).for_each(|(a, b)| *a += b);
            beta = rest.norm().map_err(raise)?;
        }
        // What is left is finite if its coefficients are: a narrow type may have overflown in either.
        if !beta.is_finite() {
            return Err(KrylovError::NonFinite {
                product: self.products,
            });
        }
        if let [.., before, last] = row.as_mut_slice() {
            *last += alpha;
            *before += previous.map_or(0.0, |_| self.beta);
        } else if let [last] = row.as_mut_slice() {
            *last += alpha;
        }
        self.products += 1;
        if self.beta == 0.0 {
            self.piece = self.projected.len();
        }
        self.projected.push(row);
        self.beta = beta;

        // Rounding, with room; in half precision there is not that much room.
        let rounding = (64.0 * epsilon).min(0.25 * epsilon.sqrt());
        let smallest = rounding * self.projected.bound().max(self.beta);
        self.next = if self.basis.len() == V::dimension(&self.space) {
            self.beta = 0.0;
            None
        } else if self.beta <= smallest {
            self.first.get_or_insert(self.basis.len());
            self.beta = 0.0;
            self.fresh().map_err(raise)?
        } else {
            Some(divided(rest, self.beta))
        };
        if self.next.is_none() {
            self.first.get_or_insert(self.basis.len());
        }
        Ok(())
    }

    /// Takes a space as exhausted whose last step was not nothing, but within a tolerance: a fresh vector
    /// comes next.
    pub(super) fn exhaust(&mut self) -> Result<(), V::Error> {
        self.first.get_or_insert(self.basis.len());
        self.dropped = self.dropped.max(self.beta);
        self.beta = 0.0;
        self.next = self.fresh()?;
        Ok(())
    }

    /// A random vector orthogonal to the basis.
    pub(super) fn fresh(&mut self) -> Result<Option<V>, V::Error> {
        // A draw is nearly never within the span of the basis; a few make sure.
        for _ in 0..4 {
            let v = Probe::Gaussian.draw::<V>(&self.space, self.seed, self.drawn)?;
            self.drawn += 1;
            let norm = v.norm()?;
            let rest = self.basis.reject(v)?;
            let remainder = rest.norm()?;
            if remainder > norm * rest.epsilon().sqrt() {
                let rest = self.basis.reject(divided(rest, remainder))?;
                let length = rest.norm()?;
                return Ok(Some(divided(rest, length)));
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

    /// Whether nothing was multiplied yet.
    pub fn is_empty(&self) -> bool {
        self.basis.is_empty()
    }

    /// Whether an observer ended the last run before it had made all of its steps.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Products so far.
    pub fn products(&self) -> usize {
        self.products
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
    pub fn projected(&self) -> Result<Dense, crate::HostError> {
        let n = self.projected.len();
        let entries = (0..n * n).map(|index| self.projected.get(index / n, index % n));
        Dense::from_row_major(n, n, entries.collect())
    }

    /// Whether the basis is a whole invariant subspace, so that its Ritz values are eigenvalues.
    pub fn is_invariant(&self) -> bool {
        self.beta == 0.0 && !self.is_empty()
    }

    /// All Ritz values, in ascending order: the outer ones are good estimates of eigenvalues long
    /// before the inner ones are.
    pub fn ritz_values(&self) -> Vec<f64> {
        let pairs = self.ritz_pairs();
        pairs.into_iter().map(|(value, _)| value).collect()
    }

    /// What the residual of each Ritz pair will be, in the order of
    /// [`ritz_values`](Self::ritz_values): `|β s|` with the last component `s` of its vector. No product
    /// is needed.
    pub fn residual_estimates(&self) -> Vec<f64> {
        let pairs = self.ritz_pairs();
        let last = |vector: &Vec<f64>| vector.last().copied().unwrap_or(0.0);
        pairs
            .iter()
            .map(|(_, vector)| (self.beta * last(vector)).abs())
            .collect()
    }

    /// The `k` outermost Ritz pairs of one end, the outermost first, with true residuals; with [estimated
    /// ones](Self::residual_estimates) if an observer ends the products.
    ///
    /// # Cost
    ///
    /// A product each, in one block.
    ///
    /// # Errors
    ///
    /// [`KrylovError::TooMany`] if the basis has fewer vectors, [`KrylovError::NonFinite`],
    /// [`KrylovError::Operator`].
    pub fn eigenpairs<A: SelfAdjoint<Vector = V> + ?Sized>(
        &self,
        operator: &A,
        end: End,
        k: usize,
    ) -> Result<Vec<Eigenpair<V>>, KrylovError<A::Error>> {
        if k > self.len() {
            return Err(KrylovError::TooMany {
                asked: k,
                available: self.len(),
            });
        }
        Ok(self.measured_pairs(operator, end, k)?.0)
    }

    /// The pairs, and how many products their residuals took.
    pub(super) fn measured_pairs<A: SelfAdjoint<Vector = V> + ?Sized>(
        &self,
        operator: &A,
        end: End,
        k: usize,
    ) -> Measured<A> {
        let pairs = self.outermost(end, k).map_err(raise)?;
        measured(operator, pairs, self.products)
    }

    /// As [`eigenpairs`](Self::eigenpairs), with [residual estimates](Self::residual_estimates) in place
    /// of true residuals, and no products.
    pub(super) fn estimated_pairs(
        &self,
        end: End,
        k: usize,
    ) -> Result<Vec<Eigenpair<V>>, V::Error> {
        of_norm_one(self.outermost(end, k)?)
    }

    /// Ritz pairs with residual estimates, as the basis has them.
    fn outermost(&self, end: End, k: usize) -> Result<Vec<Eigenpair<V>>, V::Error> {
        let pair = |(value, coefficients): (f64, Vec<f64>)| {
            let last = coefficients.last().copied().unwrap_or(0.0).abs();
            Ok(Eigenpair {
                value,
                vector: self.basis.combine(&coefficients)?,
                residual: self.beta * last + self.dropped,
            })
        };
        let pairs = end.outermost(self.ritz_pairs(), k);
        pairs.into_iter().map(pair).collect()
    }

    pub(crate) fn beta(&self) -> f64 {
        self.beta
    }

    /// Keeps the given Ritz pairs of the basis, and the next vector: thick restart.
    pub(super) fn restart(&mut self, kept: &[(f64, Vec<f64>)]) -> Result<(), V::Error> {
        let coefficients: Vec<f64> = kept.iter().flat_map(|(_, vector)| vector.clone()).collect();
        let turn = Dense::from_row_major(kept.len(), self.len(), coefficients)?;
        // The old basis is let go before there is room for a new one.
        self.basis = self.basis.rotate(&turn)?;
        let mut roomy = V::Block::with_capacity(&self.space, self.capacity)?;
        for v in (0..self.basis.len()).filter_map(|index| self.basis.get(index)) {
            roomy.push(v)?;
        }
        self.basis = roomy;
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

    /// Whether the wanted values, the outermost first, have [settled](Settled); where a space was exhausted,
    /// what the newest one has of them, and its outermost value at least.
    pub(super) fn has_settled(
        &self,
        end: End,
        wanted: &[f64],
        (goal, tolerance, noise): (f64, f64, f64),
    ) -> bool {
        if self.is_invariant() {
            return true;
        }
        let first = if self.first.is_some() { self.piece } else { 0 };
        let pairs = self.projected.eigen(first..self.len()).into_iter();
        let residual = |vector: &[f64]| self.beta * vector.last().copied().unwrap_or(0.0).abs();
        let pairs: Vec<(f64, f64)> = pairs.map(|(value, v)| (value, residual(&v))).collect();
        let (count, degree) = match first {
            0 => (wanted.len(), self.products),
            _ => {
                let is_wanted = |pair: &&(f64, f64)| end.beyond(wanted, pair.0) >= -noise;
                let least = if end == End::Both { 2 } else { 1 };
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
        settled.is(end, &pairs, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HostError, LanczosConfig, LinearOperator};

    /// `H D H` with a reflection `H`, its products rounded to the type of the vectors.
    struct Turned<F>(Vec<f64>, Vec<F>);

    macro_rules! turned {
        ($float:ty) => {
            impl LinearOperator for Turned<$float> {
                type Domain = Vec<$float>;
                type Range = Vec<$float>;
                type Error = HostError;

                fn domain(&self) -> usize {
                    self.0.len()
                }

                fn range(&self) -> usize {
                    self.0.len()
                }

                fn matvec(&self, v: &Vec<$float>) -> Result<Vec<$float>, HostError> {
                    let mirror = &self.1;
                    let square = mirror.dot(mirror)?;
                    let turn = |v: Vec<$float>| {
                        let share = 2.0 * mirror.dot(&v)? / square;
                        v.axpy(-share, mirror)
                    };
                    let turned = turn(v.clone())?.into_iter().zip(&self.0);
                    turn(turned.map(|(x, d)| x * (*d as $float)).collect())
                }
            }

            impl SelfAdjoint for Turned<$float> {}
        };
    }
    turned!(f64);
    turned!(f32);

    fn spectra(n: usize) -> Vec<(&'static str, Vec<f64>)> {
        let map = |f: &dyn Fn(usize) -> f64| (0..n).map(f).collect::<Vec<f64>>();
        let mut outlier = map(&|i| i as f64 / n as f64);
        outlier[0] = 1e6;
        let mut ladder = outlier.clone();
        ladder[1..6].copy_from_slice(&[1e6 - 1.0, -1e6, 1e4, 1e3, 1e2]);
        vec![
            ("decay", map(&|i| 0.7_f64.powi(i as i32))),
            ("steps", map(&|i| (4 * i / n) as f64)),
            ("clusters", map(&|i| (i / 8) as f64 + 1e-7 * (i % 8) as f64)),
            ("negative", map(&|i| i as f64 - 25.5)),
            ("rank 3", map(&|i| 5.0 - i.min(5) as f64)),
            ("near identity", map(&|i| 1.0 + 1e-13 * i as f64)),
            ("zero", vec![0.0; n]),
            ("shifted", map(&|i| 1e6 + (i as f64).sin())),
            ("outlier", outlier),
            ("outliers", ladder),
        ]
    }

    /// `|Q Qᵀ − I|` with the next vector as a row of `Q`, and `|A Qᵀ − Qᵀ T − r eᵀ|`: sums on the host.
    fn defects<A: SelfAdjoint<Error = HostError>>(
        a: &A,
        record: &KrylovRecord<A::Vector>,
    ) -> Result<(f64, f64), KrylovError<HostError>>
    where
        A::Vector: VectorSpace<Error = HostError>,
    {
        let rows = (0..record.len()).filter_map(|index| record.basis.get(index));
        let rows: Vec<A::Vector> = rows.collect();
        let host = |v: &A::Vector| v.to_host().map_err(raise);
        let mut q: Vec<Vec<f64>> = rows.iter().map(host).collect::<Result<_, _>>()?;
        q.extend(record.next.as_ref().map(host).transpose()?);
        let (mut angle, mut relation) = (0.0_f64, 0.0_f64);
        for (i, x) in q.iter().enumerate() {
            for (j, y) in q[..=i].iter().enumerate() {
                let product: f64 = x.iter().zip(y).map(|(x, y)| x * y).sum();
                angle = angle.max((product - f64::from(u8::from(i == j))).abs());
            }
        }
        for (j, row) in rows.iter().enumerate() {
            let mut rest = host(&a.matvec(row).map_err(raise)?)?;
            for (i, x) in q.iter().enumerate() {
                let entry = match (i < rows.len(), j + 1 == rows.len()) {
                    (true, _) => record.projected.get(i, j),
                    (false, true) => record.beta,
                    (false, false) => 0.0,
                };
                rest.iter_mut().zip(x).for_each(|(r, x)| *r -= entry * x);
            }
            relation = relation.max(rest.iter().map(|r| r * r).sum::<f64>().sqrt());
        }
        Ok((angle, relation))
    }

    /// The defects of runs over the whole space, and of runs of twenty restarts.
    fn assert_small<A: SelfAdjoint<Error = HostError>>(
        n: usize,
        epsilon: f64,
        with_spectrum: impl Fn(Vec<f64>) -> Result<A, HostError>,
    ) -> Result<(), KrylovError<HostError>>
    where
        A::Vector: VectorSpace<Error = HostError>,
    {
        for (name, values) in spectra(n) {
            let size = values.iter().fold(1e-300_f64, |size, x| size.max(x.abs()));
            let a = with_spectrum(values).map_err(raise)?;
            for seed in 0..2 {
                let whole = LanczosConfig::new(n).with_seed(seed).run(&a)?;
                let (angle, relation) = defects(&a, &whole)?;
                assert!(angle <= 30.0 * epsilon, "{name}: {angle:e}");
                // A coefficient that is taken for zero leaves 64 ε.
                assert!(relation <= 70.0 * epsilon * size, "{name}: {relation:e}");
                for end in [End::Top, End::Bottom, End::Both] {
                    let mut record = LanczosConfig::new(14).with_seed(seed).run(&a)?;
                    for _ in 0..20 {
                        let kept = end.outermost(record.ritz_pairs(), 6);
                        record.restart(&kept).map_err(raise)?;
                        record.extend(&a, 8)?;
                    }
                    // Each restart adds rounding.
                    let (angle, relation) = defects(&a, &record)?;
                    assert!(angle <= 400.0 * epsilon, "{name} {end:?}: {angle:e}");
                    assert!(
                        relation <= 400.0 * epsilon * size,
                        "{name} {end:?}: {relation:e}"
                    );
                }
            }
        }
        Ok(())
    }

    #[test]
    fn the_basis_is_orthonormal_and_the_relation_holds_after_restarts()
    -> Result<(), KrylovError<HostError>> {
        // 400 ε of f64 are 1e-13.
        for n in [40, 100] {
            assert_small(n, f64::EPSILON, |values| {
                Ok(Turned::<f64>(values, Probe::Gaussian.draw(&n, 99, 0)?))
            })?;
            assert_small(n, f64::from(f32::EPSILON), |values| {
                Ok(Turned::<f32>(values, Probe::Gaussian.draw(&n, 99, 0)?))
            })?;
        }
        Ok(())
    }

    #[test]
    fn a_second_pass_is_made_where_the_first_took_out_nearly_all()
    -> Result<(), KrylovError<HostError>> {
        // Twelve large eigenvalues: the twelfth vector, after a restart that kept the eleven before, has
        // a product nearly within their span.
        let n = 40;
        let values = (0..n).map(|i| match i < 12 {
            true => (1.0 + i as f64).sin(),
            false => 1e-10 * i as f64,
        });
        let mirror = Probe::Gaussian.draw(&n, 99, 0).map_err(raise)?;
        let a = Turned::<f64>(values.collect(), mirror);
        let mut start: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i < 12))).collect();
        start.iter_mut().skip(12).for_each(|x| *x = 1e-8);
        let share = 2.0 * a.1.dot(&start).map_err(raise)? / a.1.dot(&a.1).map_err(raise)?;
        let start = start.axpy(-share, &a.1).map_err(raise)?;
        let mut record = LanczosConfig::new(11).run_from(&a, start)?;
        let kept = record.ritz_pairs();
        record.restart(&kept).map_err(raise)?;
        record.extend(&a, 1)?;
        assert!(record.beta < 1e-5 && record.beta > 0.0, "{:e}", record.beta);
        let (angle, relation) = defects(&a, &record)?;
        assert!(angle <= 30.0 * f64::EPSILON, "{angle:e}");
        assert!(relation <= 30.0 * f64::EPSILON, "{relation:e}");
        Ok(())
    }
}
