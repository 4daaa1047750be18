use nalgebra::{DMatrix, SymmetricEigen};

use super::first_block;
use crate::error::raise;
use crate::lanczos::{Apart, at_rest, check, measured, of_norm_one, products};
use crate::vector::push_orthogonal;
use crate::{
    Dense, Eigenpair, Eigenpairs, End, KrylovError, Outcome, SelfAdjoint, Square, Step,
    VectorBlock, VectorSpace,
};

/// The outermost eigenpairs by LOBPCG: the best pairs in the span of the current ones, their residuals
/// (preconditioned, if there is a preconditioner) and the last directions.
///
/// It needs no long basis, takes warm starts for every pair, and is the method that gains from a
/// preconditioner. Without one, [`EigenpairsConfig`](crate::EigenpairsConfig) takes fewer products.
///
/// Convergence claims that no eigenvalue further out was missed, copies counted up to the number of pairs and
/// guards; of two neighbors nearer than residuals tell apart, the outer one may be missed.
///
/// # Cost
///
/// A product (and one with the preconditioner) an iteration for every pair that has not converged. Six
/// vectors for every pair and guard, four more while they are turned, and two for the other end.
///
/// # Defaults
///
/// Tolerance 1e-6 (or 32 ε of the vectors, if that is more), two guards (pairs that are not asked for,
/// so that the last one is not slowed by its neighbors, and copies of it are seen), at most 1,000 products; ours.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, End, LobpcgConfig, Symmetric};
///
/// let values: Vec<f64> = (1..=80).map(f64::from).collect();
/// let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0)?;
/// let bottom = LobpcgConfig::new(2, End::Bottom).run(&a)?;
/// assert!(bottom.outcome.is_converged() && (bottom.pairs[1].value - 2.0).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// Knyazev, *Toward the optimal preconditioned eigensolver*, SIAM J. Sci. Comput. 23 (2001); the
/// orthonormal basis of Hetmaniuk and Lehoucq (2006).
#[derive(Debug, Clone, PartialEq)]
pub struct LobpcgConfig {
    k: usize,
    end: End,
    guards: usize,
    tolerance: f64,
    max_products: usize,
    seed: u64,
}

impl LobpcgConfig {
    /// The `k` outermost pairs of `end`.
    pub fn new(k: usize, end: End) -> Self {
        Self {
            k,
            end,
            guards: 2,
            tolerance: 1e-6,
            max_products: 1000,
            seed: 0,
        }
    }

    /// Sets how many pairs more than `k` are iterated.
    #[must_use]
    pub fn with_guards(mut self, guards: usize) -> Self {
        self.guards = guards;
        self
    }

    /// Sets the tolerance, relative to the largest absolute value met.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets the limit of products, those for true residuals included. The first block is always made.
    #[must_use]
    pub fn with_max_products(mut self, products: usize) -> Self {
        self.max_products = products;
        self
    }

    /// Sets the seed of random starts.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs from random vectors, without a preconditioner.
    ///
    /// # Errors
    ///
    /// [`KrylovError::TooMany`] for more pairs than dimensions, [`KrylovError::InvalidTolerance`],
    /// [`KrylovError::NonFinite`], [`KrylovError::ProductCount`], [`KrylovError::Operator`].
    pub fn run<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<Eigenpairs<A::Vector>, KrylovError<A::Error>> {
        self.run_from(operator, &[])
    }

    /// As [`run`](Self::run), from the vectors given and random ones. An observer sees every iteration.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and [`KrylovError::NonFiniteArgument`] for a vector that is not finite.
    pub fn run_from<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        starts: &[<A as Square>::Vector],
    ) -> Result<Eigenpairs<A::Vector>, KrylovError<A::Error>> {
        self.search(operator, starts, None::<&A>)
    }

    /// As [`run_from`](Self::run_from), with a preconditioner: a positive definite operator close to the inverse
    /// of `A − λ`, for `λ` at the end that is asked for.
    ///
    /// # Errors
    ///
    /// As [`run_from`](Self::run_from), and [`KrylovError::NonFinitePreconditioner`].
    pub fn run_preconditioned<A, P>(
        &self,
        operator: &A,
        starts: &[<A as Square>::Vector],
        preconditioner: &P,
    ) -> Result<Eigenpairs<<A as Square>::Vector>, KrylovError<A::Error>>
    where
        A: SelfAdjoint + ?Sized,
        P: SelfAdjoint<Vector = <A as Square>::Vector, Error = A::Error> + ?Sized,
    {
        self.search(operator, starts, Some(preconditioner))
    }

    fn search<A, P>(
        &self,
        operator: &A,
        starts: &[<A as Square>::Vector],
        preconditioner: Option<&P>,
    ) -> Result<Eigenpairs<<A as Square>::Vector>, KrylovError<A::Error>>
    where
        A: SelfAdjoint + ?Sized,
        P: SelfAdjoint<Vector = <A as Square>::Vector, Error = A::Error> + ?Sized,
    {
        operator.check_square()?;
        let space = operator.domain();
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        check(self.k, dimension, self.tolerance)?;
        let width = self.k.saturating_add(self.guards).max(starts.len());
        let width = width.min(dimension);
        // The span of a step, and its products: pairs first, then directions, then residuals.
        let mut span = first_block(&space, starts, width, (self.seed, &mut 0))?;
        let images = <A::Vector as VectorSpace>::Block::with_capacity(&space, width);
        let mut images = images.map_err(raise)?;
        let mut added: Vec<A::Vector> = (0..span.len()).filter_map(|i| span.get(i)).collect();
        let epsilon = added.first().map_or(0.0, VectorSpace::epsilon);
        let tolerance = self.tolerance.max(32.0 * epsilon);
        let (mut used, mut iterations, mut size) = (0, 0, 0.0_f64);
        let mut before: Vec<f64> = Vec::new();
        let mut improved = 0;
        loop {
            match products(operator, &added, used) {
                // The pairs are those of the iteration before.
                Err(error) if error.is_stop(operator) && iterations > 0 => {
                    let pairs = pairs(&before[..self.k], &span, &images);
                    let pairs = of_norm_one(pairs.map_err(raise)?).map_err(raise)?;
                    return Ok(Eigenpairs {
                        outcome: Outcome::Stopped,
                        products: used,
                        pairs,
                        goal: tolerance * size,
                        restarts: iterations,
                    });
                }
                found => {
                    for product in found? {
                        images.push(product).map_err(raise)?;
                    }
                }
            }
            used += added.len();
            iterations += 1;
            let gram = span.gram(&images).map_err(raise)?;
            let Best {
                values,
                ascending,
                turn,
            } = self.best(&gram, width);
            let largest = ascending.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
            size = size.max(largest);
            let turn = Dense::from_rows(&turn);
            let turn = turn.map_err(<A::Vector as VectorSpace>::Error::from);
            let turn = turn.map_err(raise)?;
            span = span.rotate(&turn).map_err(raise)?;
            images = images.rotate(&turn).map_err(raise)?;

            let goal = tolerance * size;
            let noise = 4.0 * epsilon * size;
            // What is nothing, where eigenvalues far out at the other end make the goal large.
            let (what, apart) = ((self.end, self.k), Apart::of_guarded(width - self.k));
            let near = goal.min(apart.residual(what, &ascending, (tolerance, 8.0 * noise)));
            let mut at_end = before.len() == values.len() || width == dimension;
            let mut rests = Vec::with_capacity(width);
            let mut residual = 0.0_f64;
            for (index, value) in values.iter().enumerate() {
                if let (Some(v), Some(product)) = (span.get(index), images.get(index)) {
                    let rest = product.axpy(-value, &v).map_err(raise)?;
                    let norm = rest.norm().map_err(raise)?;
                    if index < self.k {
                        residual = residual.max(norm);
                        let moved = before.get(index).map_or(0.0, |old| (old - value).abs());
                        at_end &= moved <= noise + at_rest(1.0, iterations, (norm, near));
                    }
                    if norm > near {
                        rests.push(rest);
                    }
                }
            }
            before.clone_from(&values);
            let is_good = at_end && residual <= near;
            let step = Step::new("eigenpairs", used)
                .with_limit(self.max_products)
                .with_value(values.first().copied())
                .with_error(residual)
                .with_goal(goal);
            let mut is_stopped = operator.report(&step).is_break();
            added.clear();
            for rest in rests {
                let better = match preconditioner {
                    None => rest,
                    Some(p) => {
                        let better = match p.matvec(&rest) {
                            Err(error) if p.is_stop(&error) => {
                                is_stopped = true;
                                break;
                            }
                            better => better?,
                        };
                        if !better.norm().map_err(raise)?.is_finite() {
                            return Err(KrylovError::NonFinitePreconditioner {
                                application: improved,
                            });
                        }
                        improved += 1;
                        better
                    }
                };
                if push_orthogonal(&mut span, better).map_err(raise)? {
                    added.extend(span.get(span.len() - 1));
                }
            }
            let is_all = added.is_empty() && !is_stopped;
            let at_limit = used + added.len() + self.k > self.max_products;
            if is_good || is_stopped || at_limit || is_all {
                let wanted = &values[..self.k.min(values.len())];
                let estimated = pairs(wanted, &span, &images).map_err(raise)?;
                let (pairs, checks) = if is_stopped {
                    (of_norm_one(estimated).map_err(raise)?, 0)
                } else {
                    let (pairs, checks) = measured(operator, estimated, used)?;
                    is_stopped |= checks < pairs.len();
                    (pairs, checks)
                };
                let allowed = goal + 64.0 * epsilon * size;
                let is_small = pairs.iter().all(|pair| pair.residual <= allowed);
                return Ok(Eigenpairs {
                    outcome: Outcome::of((is_good || is_all) && is_small, is_stopped),
                    products: used + checks,
                    pairs,
                    goal,
                    restarts: iterations,
                });
            }
        }
    }

    /// The best pairs in a span, with the matrix of the operator in it.
    fn best(&self, gram: &Dense, width: usize) -> Best {
        let size = gram.num_rows();
        let entry = |i: usize, j: usize| gram.as_slice()[i * size + j];
        let symmetric = DMatrix::from_fn(size, size, |i, j| 0.5 * (entry(i, j) + entry(j, i)));
        let eigen = SymmetricEigen::new(symmetric);
        let columns = eigen.eigenvectors.column_iter();
        let column = columns.map(|column| column.iter().copied().collect::<Vec<f64>>());
        let mut pairs: Vec<(f64, Vec<f64>)> =
            eigen.eigenvalues.iter().copied().zip(column).collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let ascending: Vec<f64> = pairs.iter().map(|pair| pair.0).collect();
        let mut outermost = self.end.outermost(pairs, size);
        let inner = outermost.split_off(width.min(size));
        let (values, rows): (Vec<f64>, Vec<Vec<f64>>) = outermost.into_iter().unzip();
        let mut turn = Vec::<Vec<f64>>::with_capacity(2 * width + 1);
        turn.extend(rows.iter().cloned());
        // Without its vector, an eigenvalue far out at the other end would come back into every residual
        // and spoil it.
        if matches!(self.end, End::Top | End::Bottom) {
            turn.extend(inner.into_iter().last().map(|(_, row)| row));
        }
        for row in &rows {
            let mut outside = row.clone();
            outside.iter_mut().take(width).for_each(|x| *x = 0.0);
            let before = length(&outside);
            // Twice is enough.
            for _ in 0..2 {
                for other in &turn {
                    let along: f64 = outside.iter().zip(other).map(|(a, b)| a * b).sum();
                    let pairs = outside.iter_mut().zip(other);
                    pairs.for_each(|(a, b)| *a -= along * b);
                }
            }
            let rest = length(&outside);
            if rest > 1e-8 * before && rest > 1e-14 {
                outside.iter_mut().for_each(|x| *x /= rest);
                turn.push(outside);
            }
        }
        Best {
            values,
            ascending,
            turn,
        }
    }
}

/// The first pairs of a span, with the residuals that its products show.
fn pairs<B: VectorBlock>(
    values: &[f64],
    span: &B,
    images: &B,
) -> Result<Vec<Eigenpair<B::Vector>>, <B::Vector as VectorSpace>::Error> {
    let places = (0..).zip(values);
    let both = places.filter_map(|(i, value)| Some((*value, span.get(i)?, images.get(i)?)));
    both.map(|(value, vector, image)| {
        let residual = image.axpy(-value, &vector)?.norm()?;
        Ok(Eigenpair {
            value,
            vector,
            residual,
        })
    })
    .collect()
}

/// What a span has to offer.
struct Best {
    /// The outermost Ritz values.
    values: Vec<f64>,
    /// All of them.
    ascending: Vec<f64>,
    /// The coefficients of the outermost vectors, of the one at the other end and, below them, of directions:
    /// what the vectors have outside the old ones, made orthonormal.
    turn: Vec<Vec<f64>>,
}

fn length(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}
