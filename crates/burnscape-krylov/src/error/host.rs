use thiserror::Error;

use super::KrylovFault;

/// Errors of numbers on the host: vectors, coefficients and small matrices.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{HostError, VectorSpace};
///
/// let error = vec![1.0, 2.0].dot(&vec![1.0]);
/// assert_eq!(error, Err(HostError::DimensionMismatch { expected: 2, found: 1 }));
/// ```
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum HostError {
    /// Two dimensions that must be equal differ.
    #[error(
        "expected dimension {expected}, found {found}; vectors combine within one space, and \
         operators where the range of one is the domain of the next"
    )]
    DimensionMismatch {
        /// The dimension expected.
        expected: usize,
        /// The dimension that was given.
        found: usize,
    },
    /// A block is combined with more or fewer coefficients than it has vectors.
    #[error("a block of {expected} vectors takes {expected} coefficients, found {found}")]
    CoefficientCount {
        /// Number of vectors.
        expected: usize,
        /// Number of coefficients.
        found: usize,
    },
    /// The number of entries of a matrix does not match its shape.
    #[error(
        "a {rows} × {columns} matrix has rows × columns entries, found {found}; give all of them, \
         row by row"
    )]
    EntryCount {
        /// Number of rows.
        rows: usize,
        /// Number of columns.
        columns: usize,
        /// Number of entries given.
        found: usize,
    },
    /// The rows of a matrix have different lengths.
    #[error("row {row} has {found} entries, the rows before it {expected}; rows are equally long")]
    RaggedRows {
        /// The first row that differs, counted from zero.
        row: usize,
        /// Length of the rows before it.
        expected: usize,
        /// Its length.
        found: usize,
    },
    /// A number that has to be positive is not, or not finite.
    #[error("`{name}` is not a positive number; give one")]
    NotPositive {
        /// The number.
        name: &'static str,
    },
    /// A method failed.
    #[error(transparent)]
    Fault(#[from] KrylovFault),
}
