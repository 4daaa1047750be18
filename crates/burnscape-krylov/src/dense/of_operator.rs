use super::Dense;
use crate::operator::products;
use crate::{KrylovFault, LinearOperator, Step, VectorSpace};

/// Unit vectors multiplied at once: enough to share work, few enough to hold on a device.
const BLOCK: usize = 8;

impl Dense {
    /// The most entries that [`of`](Self::of) accepts: 512 MiB, a square matrix of dimension 8,192.
    pub const MAX_ENTRIES: usize = 1 << 26;

    /// The matrix of an operator, from its products with the unit vectors.
    ///
    /// Column `j` is `A eⱼ`, as the operator returns it; the matrix is not symmetrized.
    ///
    /// # Cost
    ///
    /// As many products as the domain has dimensions, eight to a block; the matrix in `f64` on the host.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::TooLarge`] above [`MAX_ENTRIES`](Self::MAX_ENTRIES), before any product;
    /// [`KrylovFault::NonFinite`] with the column; those of the operator; [`KrylovFault::ProductCount`];
    /// [`KrylovFault::Stopped`] if an observer ends the run.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_krylov::{Dense, Product};
    ///
    /// let a = Dense::from_rows(&[[0.0, 1.0], [1.0, 1.0]])?;
    /// let square = Dense::of(&Product::new(&a, &a)?)?;
    /// assert_eq!(square.as_slice(), [1.0, 1.0, 1.0, 2.0]);
    /// # Ok::<(), burnscape_krylov::KrylovFault>(())
    /// ```
    pub fn of<A: LinearOperator + ?Sized>(operator: &A) -> Result<Self, A::Error> {
        let (domain, range) = (operator.domain(), operator.range());
        let (rows, columns) = (A::Range::dimension(&range), A::Domain::dimension(&domain));
        let limit = Self::MAX_ENTRIES;
        if rows
            .checked_mul(columns)
            .is_none_or(|entries| entries > limit)
        {
            return Err(KrylovFault::TooLarge {
                rows,
                columns,
                limit,
            }
            .into());
        }
        let mut entries = Vec::with_capacity(rows * columns);
        for first in (0..columns).step_by(BLOCK) {
            let last = columns.min(first + BLOCK);
            let block: Result<Vec<A::Domain>, _> = (first..last)
                .map(|index| unit(&domain, columns, index))
                .collect();
            for product in products(operator, &block?, first)? {
                A::Range::check_same(&range, &product.space())?;
                entries.extend(product.to_host()?);
            }
            let step = Step::new("dense matrix", last).with_limit(columns);
            if operator.report(&step).is_break() && last < columns {
                // Part of a matrix is no result.
                return Err(KrylovFault::Stopped.into());
            }
        }
        Ok(Self::from_row_major(columns, rows, entries)?.transpose())
    }
}

fn unit<V: VectorSpace>(space: &V::Space, dimension: usize, index: usize) -> Result<V, V::Error> {
    let mut values = vec![0.0; dimension];
    values[index] = 1.0;
    V::from_host(space, &values)
}
