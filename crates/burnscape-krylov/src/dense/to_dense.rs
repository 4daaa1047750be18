use super::Dense;
use crate::{KrylovFault, LinearOperator, Step, VectorSpace};

/// The most entries [`to_dense`] makes a matrix of: 512 MiB, a square one of dimension 8,192.
pub const MAX_DENSE_ENTRIES: usize = 1 << 26;

/// Unit vectors multiplied at once: enough to share work, few enough to hold on a device.
const BLOCK: usize = 8;

/// The matrix of an operator, from its products with the unit vectors.
///
/// Column `j` is `A eⱼ`, as the operator gives it: nothing is made symmetric.
///
/// # Cost
///
/// As many products as the domain has dimensions, eight to a block; the matrix in `f64` on the
/// host.
///
/// # Errors
///
/// [`KrylovFault::TooLarge`] above [`MAX_DENSE_ENTRIES`], before any product;
/// [`KrylovFault::NonFinite`] with the column; those of the operator;
/// [`KrylovFault::ProductCount`]; [`KrylovFault::Stopped`] if an observer ends the run.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, Product, to_dense};
///
/// let a = Dense::from_rows(&[[0.0, 1.0], [1.0, 1.0]])?;
/// let square = to_dense(&Product::new(&a, &a)?)?;
/// assert_eq!(square.as_slice(), [1.0, 1.0, 1.0, 2.0]);
/// # Ok::<(), burnscape_krylov::HostError>(())
/// ```
pub fn to_dense<A: LinearOperator + ?Sized>(operator: &A) -> Result<Dense, A::Error> {
    let (domain, range) = (operator.domain(), operator.range());
    let (rows, columns) = (A::Range::dimension(&range), A::Domain::dimension(&domain));
    if rows
        .checked_mul(columns)
        .is_none_or(|entries| entries > MAX_DENSE_ENTRIES)
    {
        return Err(KrylovFault::TooLarge {
            rows,
            columns,
            limit: MAX_DENSE_ENTRIES,
        }
        .into());
    }
    let mut entries = Vec::with_capacity(rows * columns);
    for first in (0..columns).step_by(BLOCK) {
        let block: Result<Vec<A::Domain>, _> = (first..columns.min(first + BLOCK))
            .map(|index| unit(&domain, columns, index))
            .collect();
        let block = block?;
        let products = operator.matmat(&block)?;
        if products.len() != block.len() {
            return Err(KrylovFault::ProductCount {
                expected: block.len(),
                found: products.len(),
            }
            .into());
        }
        for (product, index) in products.iter().zip(first..) {
            A::Range::check_same(&range, &product.space())?;
            let column = product.to_host()?;
            if !column.iter().all(|value| value.is_finite()) {
                return Err(KrylovFault::NonFinite { product: index }.into());
            }
            entries.extend(column);
        }
        let step = Step::new("dense matrix", first + block.len()).with_limit(columns);
        if operator.report(&step).is_break() && first + block.len() < columns {
            // A part of a matrix is none.
            return Err(KrylovFault::Stopped.into());
        }
    }
    let transposed = Dense::from_row_major(columns, rows, entries);
    let transposed = transposed.map_err(<A::Range as VectorSpace>::Error::from)?;
    Ok(transposed.transpose())
}

fn unit<V: VectorSpace>(space: &V::Space, dimension: usize, index: usize) -> Result<V, V::Error> {
    let values: Vec<f64> = (0..dimension)
        .map(|i| if i == index { 1.0 } else { 0.0 })
        .collect();
    V::from_host(space, &values)
}
