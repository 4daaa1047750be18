use nalgebra::{DMatrix, SymmetricEigen};

use super::sketch::next_size;
use super::xtrace::{FEWEST, add, dot, jackknife};
use super::{TraceConfig, TraceEstimate, TraceMethod};
use crate::dense::symmetric_part;
use crate::estimate::Samples;
use crate::vector::{divided, exponent, length, times_power};
use crate::{Estimate, KrylovFault, Probe, SelfAdjoint, VectorBlock, VectorSpace};

impl TraceConfig {
    pub(super) fn xnystrace<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<TraceEstimate, A::Error> {
        let space = operator.domain();
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        let most = self.max_matvecs.min(dimension);
        KrylovFault::ensure_enough(self.limit(), "XNysTrace", 2.min(dimension))?;
        // A run that may stop early does not take all of the room at once.
        let room = if self.tolerance.is_some() { 0 } else { most };
        let empty = || <A::Vector as VectorSpace>::Block::with_capacity(&space, room);
        let (mut vectors, mut images) = (empty()?, empty()?);
        let mut source = Samples::new(operator, Probe::Gaussian, self.seed);
        let mut last: Option<TraceEstimate> = None;
        loop {
            let size = next_size(vectors.len(), most) - vectors.len();
            let pairs = match (source.next(size)?, last) {
                (None, Some(last)) => return Ok(last.stopped()),
                (pairs, _) => pairs.unwrap_or_default(),
            };
            for (v, product) in pairs {
                vectors.push(v)?;
                images.push(product)?;
            }
            let (estimate, rounding) = estimate(&vectors, &images, dimension)?;
            let half_width = estimate.half_width(self.confidence);
            let half_width = half_width.map(|half| half + rounding);
            let about = (vectors.len(), TraceMethod::XNysTrace);
            // All of the space leaves nothing to chance.
            let is_enough = vectors.len() >= FEWEST.min(dimension);
            let estimate = self.report((estimate.value, half_width), is_enough, about);
            let is_stopped = self.shown(operator, &estimate);
            if self.is_done(&estimate) || vectors.len() >= most {
                return Ok(estimate);
            }
            if is_stopped {
                return Ok(estimate.stopped());
            }
            last = Some(estimate);
        }
    }
}

/// The mean of the estimates that each random vector makes for the Nyström approximation of all the
/// others, and the error of rounding.
fn estimate<B: VectorBlock>(
    vectors: &B,
    images: &B,
    dimension: usize,
) -> Result<(Estimate, f64), <B::Vector as VectorSpace>::Error> {
    let (size, n) = (vectors.len(), dimension as f64);
    let square = symmetric_part(&vectors.gram(vectors)?);
    let form = symmetric_part(&vectors.gram(images)?);
    let norms: Result<Vec<f64>, _> = images.vectors().map(|image| image?.norm()).collect();
    let total = length(norms?.into_iter());
    let epsilon = images.get(0)?.map_or(0.0, |v| v.epsilon());
    if total == 0.0 {
        return Ok((Estimate::of(&vec![0.0; size]), 0.0));
    }
    // A multiple of the identity, above the rounding of the products, makes the small matrix definite;
    // its trace is taken off at the end.
    let mut shift = 4.0 * epsilon * (total / n.sqrt());
    // Roots of odd powers of two are not exact: all is done for an operator of norm one or so.
    let power = exponent(total);
    let near_one = |matrix: DMatrix<f64>| matrix.map(|x| times_power(x, -power));
    let small = near_one(form.clone());
    for _ in 0..3 {
        let near = times_power(shift, -power);
        let shifted = &small + &square * near;
        if let Some(factor) = shifted.clone().cholesky() {
            let r = near_one(triangle(vectors, images, shift)?);
            let found = read(&factor.l(), (&r, &square), (n, near));
            let found = Estimate {
                value: times_power(found.value, power),
                standard_error: found.standard_error.map(|x| times_power(x, power)),
                ..found
            };
            return Ok((found, shift * n));
        }
        shift *= 16.0;
    }
    let eigen = SymmetricEigen::new(form);
    let value = eigen
        .eigenvalues
        .iter()
        .fold(f64::INFINITY, |least, x| least.min(*x));
    Err(KrylovFault::Indefinite { value }.into())
}

/// `R` of `Y + νΩ = Qᵀ R` for the shifted products.
fn triangle<B: VectorBlock>(
    vectors: &B,
    images: &B,
    shift: f64,
) -> Result<DMatrix<f64>, <B::Vector as VectorSpace>::Error> {
    let size = vectors.len();
    let mut basis = B::with_capacity(&vectors.space(), size)?;
    let mut r = DMatrix::zeros(size, size);
    for index in 0..size {
        let (Some(v), Some(image)) = (vectors.get(index)?, images.get(index)?) else {
            continue;
        };
        let (along, rest, [_, left]) = basis.split(image.axpy(shift, &v)?, &[0, 0])?;
        for (row, value) in along.into_iter().enumerate() {
            r[(row, index)] = value;
        }
        // What is left may be rounding alone: its direction is then arbitrary, and its length right.
        if left > 0.0 && basis.len() < size {
            r[(basis.len(), index)] = left;
            basis.push(divided(rest, left))?;
        }
    }
    Ok(r)
}

/// With `H = Ω (A + ν) Ωᵀ = L Lᵀ` and `B = R L⁻ᵀ`: the Nyström approximation has the trace `|B|²`.
/// Leaving vector `i` out takes `|B x|² / |x|²` off, for the column `x` of `L⁻¹`, and what `A` has beyond
/// it along that vector is `1 / |x|²`, on a direction that is uniform outside the other vectors. That has
/// the square `1 / |y|²` for the column `y` of the inverse factor of `Ω Ωᵀ`. Leaving another one out too is
/// the same with the part of `x` (and of `y`) that is orthogonal to the other's, for `1 / |x|²` and
/// `1 / |y|²`, and both parts taken off the trace.
fn read(
    lower: &DMatrix<f64>,
    (r, square): (&DMatrix<f64>, &DMatrix<f64>),
    (n, shift): (f64, f64),
) -> Estimate {
    let size = lower.nrows();
    let columns = |matrix: &DMatrix<f64>| -> Vec<Vec<f64>> {
        let columns = matrix.column_iter();
        columns
            .map(|column| column.iter().copied().collect())
            .collect()
    };
    // A Cholesky factor has a positive diagonal, and an inverse.
    let identity = DMatrix::identity(size, size);
    let inverse = |lower: &DMatrix<f64>| lower.solve_lower_triangular(&identity);
    let inner = inverse(lower).unwrap_or_else(|| identity.clone());
    let outer = square
        .clone()
        .cholesky()
        .and_then(|factor| inverse(&factor.l()));
    let b = r * inner.transpose();
    let whole = b.norm_squared();
    let (x, bx) = (columns(&inner), columns(&(&b * &inner)));
    let y = outer.as_ref().map(columns);
    let sample = |own: usize, other: Option<usize>| {
        let (mut rest, mut image, mut taken) = (x[own].clone(), bx[own].clone(), 0.0);
        let mut direction = y.as_ref().map(|y| y[own].clone());
        let mut left = n - size as f64 + 1.0;
        if let Some(other) = other {
            let length = dot(&x[other], &x[other]);
            let along = dot(&rest, &x[other]) / length;
            add(&mut rest, -along, &x[other]);
            add(&mut image, -along, &bx[other]);
            taken += dot(&bx[other], &bx[other]) / length;
            if let (Some(own), Some(y)) = (&mut direction, &y) {
                let along = dot(own, &y[other]) / dot(&y[other], &y[other]);
                add(own, -along, &y[other]);
            }
            left += 1.0;
        }
        let length = dot(&rest, &rest);
        taken += dot(&image, &image) / length;
        let direction = direction.map_or(1.0, |own| dot(&own, &own));
        whole - taken + left * direction / length - shift * n
    };
    jackknife(size, sample)
}
