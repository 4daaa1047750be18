use super::{Eigenpair, Eigenpairs, EigenpairsConfig, Ending, Which};
use crate::basis::{first_block, push_outside};
use crate::dense::symmetric_part;
use crate::lanczos::{Apart, ascending_eigenpairs, at_rest};
use crate::operator::unchecked_products;
use crate::vector::length;
use crate::{Dense, KrylovFault, SelfAdjoint, Square, Step, VectorBlock, VectorSpace};

impl EigenpairsConfig {
    /// LOBPCG: the best pairs in the span of the current ones, their residuals and the last directions.
    pub(super) fn lobpcg<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        starts: &[<A as Square>::Vector],
    ) -> Result<Eigenpairs<A::Vector>, A::Error> {
        let preconditioner = operator.preconditioner();
        let space = operator.domain();
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        let width = self.k.saturating_add(self.guards()).max(starts.len());
        let width = width.min(dimension);
        // The span of a step, and its products: pairs first, then directions, then residuals.
        let mut span = first_block::<A::Vector>(&space, starts, width, (self.seed, &mut 0))?;
        let mut images = <A::Vector as VectorSpace>::Block::with_capacity(&space, width)?;
        let added: Result<Vec<A::Vector>, _> = span.vectors().collect();
        let mut added = added?;
        let epsilon = added.first().map_or(0.0, VectorSpace::epsilon);
        let tolerance = self.tolerance().max(32.0 * epsilon);
        let (mut used, mut iterations, mut size) = (0, 0, 0.0_f64);
        let mut before: Vec<f64> = Vec::new();
        let mut improved = 0;
        loop {
            match unchecked_products(operator, &added) {
                // The pairs are those of the iteration before.
                Err(error) if operator.is_stop(&error) && iterations > 0 => {
                    let estimated = pairs(&before[..self.k], &span, &images)?;
                    let ending = Ending {
                        is_found: false,
                        is_stopped: true,
                        is_measured: true,
                        goal: tolerance * size,
                        rounding: 0.0,
                        num_matvecs: used,
                        num_restarts: iterations,
                    };
                    return ending.result(operator, estimated);
                }
                found => {
                    for product in found? {
                        images.push(product)?;
                    }
                }
            }
            let gram = span.gram(&images)?;
            let first = images.len() - added.len();
            if let Some(index) = (0..added.len()).find(|index| has_non_finite(&gram, first + index))
            {
                let product = used + index;
                return Err(KrylovFault::NonFinite { product }.into());
            }
            used += added.len();
            iterations += 1;
            let Best {
                values,
                ascending,
                turn,
            } = self.best(&gram, width);
            let largest = ascending.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
            size = size.max(largest);
            let turn = Dense::from_rows(&turn)?;
            span = span.transform(&turn)?;
            images = images.transform(&turn)?;

            let goal = tolerance * size;
            let noise = 4.0 * epsilon * size;
            // A small residual where eigenvalues far out at the other end make the goal large.
            let (what, apart) = ((self.which, self.k), Apart::of_guarded(width - self.k));
            let near = goal.min(apart.residual(what, &ascending, (tolerance, 8.0 * noise)));
            let mut at_end = before.len() == values.len() || width == dimension;
            let mut rests = Vec::with_capacity(width);
            let mut residual = 0.0_f64;
            for (index, value) in values.iter().enumerate() {
                if let (Some(v), Some(product)) = (span.get(index)?, images.get(index)?) {
                    let rest = product.axpy(-value, &v)?;
                    let norm = rest.norm()?;
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
                .with_limit(self.max_matvecs())
                .with_value(values.first().copied())
                .with_error(residual)
                .with_goal(goal);
            let mut is_stopped = operator.report(&step).is_break();
            added.clear();
            for rest in rests {
                let better = match preconditioner.map(|p| (p, p.matvec(&rest))) {
                    None => rest,
                    Some((p, Err(error))) if p.is_stop(&error) => {
                        is_stopped = true;
                        break;
                    }
                    Some((_, better)) => {
                        let better = better?;
                        if !better.norm()?.is_finite() {
                            return Err(KrylovFault::NonFinitePreconditioner {
                                application: improved,
                            }
                            .into());
                        }
                        improved += 1;
                        better
                    }
                };
                if push_outside(&mut span, better)? {
                    added.extend(span.get(span.len() - 1)?);
                }
            }
            let is_all = added.is_empty() && !is_stopped;
            let at_limit = used + added.len() + self.k > self.max_matvecs();
            if is_good || is_stopped || at_limit || is_all {
                let wanted = &values[..self.k.min(values.len())];
                let estimated = pairs(wanted, &span, &images)?;
                let ending = Ending {
                    is_found: is_good || is_all,
                    is_stopped,
                    is_measured: true,
                    goal,
                    rounding: 64.0 * epsilon * size,
                    num_matvecs: used,
                    num_restarts: iterations,
                };
                return ending.result(operator, estimated);
            }
        }
    }

    /// The best pairs in a span, with the matrix of the operator in it.
    fn best(&self, gram: &Dense, width: usize) -> Best {
        let size = gram.num_rows();
        let pairs = ascending_eigenpairs(symmetric_part(gram));
        let ascending: Vec<f64> = pairs.iter().map(|pair| pair.0).collect();
        let mut outermost = self.which.outermost(pairs, size);
        let inner = outermost.split_off(width.min(size));
        let (values, rows): (Vec<f64>, Vec<Vec<f64>>) = outermost.into_iter().unzip();
        let mut turn = Vec::<Vec<f64>>::with_capacity(2 * width + 1);
        turn.extend(rows.iter().cloned());
        // Without its vector, an eigenvalue far out at the other end would come back into every residual
        // and spoil it.
        if matches!(self.which, Which::Largest | Which::Smallest) {
            turn.extend(inner.into_iter().last().map(|(_, row)| row));
        }
        for row in &rows {
            let mut outside = row.clone();
            outside.iter_mut().take(width).for_each(|x| *x = 0.0);
            let before = length(outside.iter().copied());
            // Twice is enough.
            for _ in 0..2 {
                for other in &turn {
                    let along: f64 = outside.iter().zip(other).map(|(a, b)| a * b).sum();
                    let pairs = outside.iter_mut().zip(other);
                    pairs.for_each(|(a, b)| *a -= along * b);
                }
            }
            let rest = length(outside.iter().copied());
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

/// Whether a column has a number that is not finite: then the product of that vector has one.
fn has_non_finite(gram: &Dense, column: usize) -> bool {
    gram.rows().any(|row| !row[column].is_finite())
}

/// The first pairs of a span, with the residuals that its products show.
fn pairs<B: VectorBlock>(
    values: &[f64],
    span: &B,
    images: &B,
) -> Result<Vec<Eigenpair<B::Vector>>, <B::Vector as VectorSpace>::Error> {
    let mut pairs = Vec::with_capacity(values.len());
    for (index, &value) in values.iter().enumerate() {
        if let (Some(vector), Some(image)) = (span.get(index)?, images.get(index)?) {
            let residual = image.axpy(-value, &vector)?.norm()?;
            pairs.push(Eigenpair {
                value,
                vector,
                residual,
            });
        }
    }
    Ok(pairs)
}

/// The best pairs of a span.
struct Best {
    /// The outermost Ritz values.
    values: Vec<f64>,
    /// All of them.
    ascending: Vec<f64>,
    /// The coefficients of the outermost vectors, of the one at the other end and, below them, of directions:
    /// the parts of the vectors outside the old ones, orthonormalized.
    turn: Vec<Vec<f64>>,
}
