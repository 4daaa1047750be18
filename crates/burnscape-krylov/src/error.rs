//! Errors of this crate.

use thiserror::Error;

/// The errors of this crate's methods and of vectors on the host.
///
/// A method returns the error type of its operator, which must be able to hold a fault
/// (`LinearOperator::Error: From<KrylovFault>`) besides failures of products and vectors.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, KrylovFault, Shifted, VectorSpace};
///
/// let error = Shifted::new(Dense::identity(2), f64::INFINITY).map(|_| ());
/// let fault = KrylovFault::NonFiniteArgument { name: "sigma", value: f64::INFINITY };
/// assert_eq!(error, Err(fault));
///
/// let error = vec![1.0, 2.0].dot(&vec![1.0]);
/// assert_eq!(error, Err(KrylovFault::DimensionMismatch { expected: 2, found: 1 }));
/// ```
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum KrylovFault {
    /// An observer ended the run before there was a result.
    #[error("the run was stopped before there was a result; let it make a few more products")]
    Stopped,
    /// A product is not finite.
    #[error(
        "product {product} (counted from 0) is not finite; look for NaN or overflow in the \
         operator at that input"
    )]
    NonFinite {
        /// The number of the product, from zero.
        product: usize,
    },
    /// An argument is not finite.
    #[error("`{name}` is {value}; give a finite one")]
    NonFiniteArgument {
        /// The argument.
        name: &'static str,
        /// Its value; its norm if it is a vector.
        value: f64,
    },
    /// An argument is outside its range.
    #[error("`{name}` is {value}; give {allowed}")]
    OutOfBounds {
        /// The argument.
        name: &'static str,
        /// Its value; its norm if it is a vector.
        value: f64,
        /// The allowed values.
        allowed: &'static str,
    },
    /// A check or an estimate has too few vectors, points or draws to work with.
    #[error("{method} needs `{name}` to be at least {needed}, found {found}; raise it")]
    NoProbes {
        /// The method, in words.
        method: &'static str,
        /// The setting or argument that limits their number.
        name: &'static str,
        /// Its smallest value for the method.
        needed: usize,
        /// Its value.
        found: usize,
    },
    /// Vectors that must be orthonormal are not.
    #[error(
        "vectors {first} and {second} are not orthonormal: their dot product is {product}, \
         tolerance {tolerance:e}; use `Orthonormal::orthonormalize`"
    )]
    NotOrthonormal {
        /// Index of one vector.
        first: usize,
        /// Index of the other, possibly the same.
        second: usize,
        /// Their dot product.
        product: f64,
        /// How far from 0 (or 1) it may be.
        tolerance: f64,
    },
    /// A vector is a combination of the vectors before it, to rounding, or is not finite.
    #[error(
        "vector {index} is dependent on the vectors before it (a fraction {remainder:e} of its \
         norm is left); leave it out"
    )]
    Dependent {
        /// Index of the vector.
        index: usize,
        /// Norm of its part orthogonal to the others, relative to its own norm.
        remainder: f64,
    },
    /// An operator that was claimed to be self-adjoint is not.
    #[error(
        "the operator is not self-adjoint: symmetry defect {defect:e}, tolerance {tolerance:e}; \
         look for randomness in it, or use it without the claim"
    )]
    NotSymmetric {
        /// The largest defect seen, as `symmetry_defect` defines it.
        defect: f64,
        /// The largest one accepted.
        tolerance: f64,
    },
    /// An operator is too large for a matrix on the host.
    #[error(
        "a {rows} × {columns} matrix has more than {limit} entries; restrict the operator to a \
         subspace with `Restricted`, or work with its products"
    )]
    TooLarge {
        /// Number of rows.
        rows: usize,
        /// Number of columns.
        columns: usize,
        /// The most entries a matrix may have.
        limit: usize,
    },
    /// An operator that has to be positive definite is not.
    #[error(
        "the operator is not positive definite: product {product} (counted from 0) shows a direction \
         along which it is {value:e}, negative or zero to rounding; use MINRES, or add a multiple of the \
         identity with `Shifted`"
    )]
    NotPositive {
        /// Which product.
        product: usize,
        /// The quadratic form along it.
        value: f64,
    },
    /// A result of a preconditioner is not finite.
    #[error(
        "the preconditioner's result {application} (counted from 0) is not finite for a finite vector; look \
         for NaN or overflow in it"
    )]
    NonFinitePreconditioner {
        /// Which of its results, from zero.
        application: usize,
    },
    /// A preconditioner is not positive definite.
    #[error(
        "the preconditioner is not positive definite: its quadratic form along result {application} \
         (counted from 0) is {value:e}; give a positive definite one"
    )]
    IndefinitePreconditioner {
        /// Which of its results, from zero.
        application: usize,
        /// The quadratic form.
        value: f64,
    },
    /// A result is larger than its type can hold.
    #[error(
        "`{name}` is about 2^{exponent}, beyond the range of its type; multiply the operator and the vector by a power of two"
    )]
    OutOfRange {
        /// The result.
        name: &'static str,
        /// Its size, as a power of two.
        exponent: i32,
    },
    /// An operator that has to be positive semidefinite is not.
    #[error(
        "the operator is not positive semidefinite: its products show {value:e}; use XTrace, which \
         takes either sign"
    )]
    Indefinite {
        /// The smallest eigenvalue of `Ω A Ωᵀ` for the random vectors `Ω`.
        value: f64,
    },
    /// The integrands returned more or fewer numbers than before.
    #[error(
        "{expected} integrands before, {found} now; return one number for each integrand every time"
    )]
    IntegrandCount {
        /// Number of integrands at first.
        expected: usize,
        /// Number of integrands now.
        found: usize,
    },
    /// A setting that the chosen method cannot use.
    #[error("{method} does not use `{setting}`; leave it out, or choose another method")]
    UnusedSetting {
        /// The setting.
        setting: &'static str,
        /// The method, in words.
        method: &'static str,
    },
    /// Another end of the spectrum than the power iteration finds.
    #[error(
        "the power iteration finds only `Which::LargestMagnitude`; pass that, or choose another method"
    )]
    LargestMagnitudeOnly,
    /// Means of integrands by another method than Hutchinson's.
    #[error("integrands always use Hutchinson's method; remove `with_method`")]
    HutchinsonOnly,
    /// Eigenpairs without their vectors, which are not stored with them.
    #[error(
        "{values} eigenvalues have {vectors} vectors; vectors are not stored with eigenpairs: read them from \
         where they were written, or compute the pairs again"
    )]
    MissingVectors {
        /// Number of values.
        values: usize,
        /// Number of vectors.
        vectors: usize,
    },
    /// None are requested, or more than there are.
    #[error("{asked} {name} requested; choose a number from 1 to {available}")]
    TooMany {
        /// The things requested, in words.
        name: &'static str,
        /// The number requested.
        asked: usize,
        /// The number available: the dimension, or the size of a basis.
        available: usize,
    },
    /// A basis is too small for the pairs requested.
    #[error("a basis of {vectors} vectors is too small, {needed} are needed; raise `max_basis`")]
    BasisTooSmall {
        /// Vectors allowed.
        vectors: usize,
        /// Vectors needed.
        needed: usize,
    },
    /// A checkpoint contradicts itself.
    #[error(
        "`{field}` of the checkpoint contradicts the rest of it; start anew, or store it again"
    )]
    InvalidCheckpoint {
        /// The field.
        field: &'static str,
    },
    /// The memory allowed does not hold the vectors that a method needs.
    #[error(
        "`max_bytes` is {bytes}, but the fewest possible vectors take {needed} bytes; raise \
         `max_bytes`, or request fewer pairs"
    )]
    MemoryTooSmall {
        /// Bytes allowed.
        bytes: usize,
        /// Bytes needed.
        needed: usize,
    },
    /// An operator returned more or fewer products than vectors were given.
    #[error("`matmat` gave {found} products for {expected} vectors; correct its implementation")]
    ProductCount {
        /// Number of vectors given.
        expected: usize,
        /// Number of products returned.
        found: usize,
    },
    /// The solver of an [`Inverse`](crate::Inverse) did not come within its tolerance.
    #[error(
        "the solver reached a residual of {residual:e} after {num_matvecs} products and did not converge; \
         raise its limit of products or its tolerance, or shift the operator"
    )]
    Unconverged {
        /// The residual, relative to the right-hand side.
        residual: f64,
        /// Products used.
        num_matvecs: usize,
    },
    /// Two dimensions that must be equal differ.
    #[error(
        "expected dimension {expected}, found {found}; combine vectors of one space, and operators where the \
         range of one is the domain of the next"
    )]
    DimensionMismatch {
        /// The dimension expected.
        expected: usize,
        /// The dimension that was given.
        found: usize,
    },
    /// A block is combined with more or fewer coefficients than it has vectors.
    #[error(
        "a block of {expected} vectors takes {expected} coefficients, found {found}; pass one for each vector"
    )]
    CoefficientCount {
        /// Number of vectors.
        expected: usize,
        /// Number of coefficients.
        found: usize,
    },
    /// The number of entries of a matrix does not match its shape.
    #[error(
        "a {rows} × {columns} matrix has rows × columns entries, found {found}; give all of them, row by row"
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
    #[error(
        "row {row} has {found} entries, the rows before it have {expected}; make all rows equally long"
    )]
    RaggedRows {
        /// The first row that differs, counted from zero.
        row: usize,
        /// Length of the rows before it.
        expected: usize,
        /// Its length.
        found: usize,
    },
    /// Two lists of numbers that belong together, one by one, have different lengths.
    #[error(
        "{first} numbers are paired with {second}; give one of each for every pair, in the same order"
    )]
    PairCount {
        /// Length of the first list.
        first: usize,
        /// Length of the second.
        second: usize,
    },
    /// A number of a pair is infinite or NaN.
    #[error(
        "pair {pair} (counted from 0) is ({first}, {second}), which must be finite; look for the cause, or \
         leave the pair out"
    )]
    NonFinitePair {
        /// The number of the pair, from zero.
        pair: usize,
        /// Its first number.
        first: f64,
        /// Its second number.
        second: f64,
    },
    /// A flow needs steps too short to move its time.
    #[error(
        "the step of {step:e} at time {time} is too short to move the time; raise the tolerances or the longest step \
         allowed, or end the flow earlier: its solution may not exist beyond that time"
    )]
    StepTooShort {
        /// The time reached.
        time: f64,
        /// The length of the step.
        step: f64,
    },
    /// The field of a flow is not finite.
    #[error(
        "the field of the flow is not finite at or right after time {time}; look for NaN or overflow in it, or end \
         the flow earlier"
    )]
    NonFiniteField {
        /// The time reached.
        time: f64,
    },
}

impl KrylovFault {
    /// Refuses numbers that are not positive and finite.
    pub(crate) fn ensure_positive(name: &'static str, value: f64) -> Result<(), Self> {
        if value > 0.0 && value.is_finite() {
            return Ok(());
        }
        Err(Self::OutOfBounds {
            name,
            value,
            allowed: "a positive, finite number",
        })
    }

    /// Refuses numbers that are no probability, and 0 and 1.
    pub(crate) fn ensure_probability(name: &'static str, value: f64) -> Result<(), Self> {
        if value > 0.0 && value < 1.0 {
            return Ok(());
        }
        Err(Self::OutOfBounds {
            name,
            value,
            allowed: "a number between 0 and 1, neither of them",
        })
    }

    /// Refuses numbers, and norms of vectors, that are not finite.
    pub(crate) fn ensure_finite(name: &'static str, value: f64) -> Result<(), Self> {
        if value.is_finite() {
            return Ok(());
        }
        Err(Self::NonFiniteArgument { name, value })
    }

    /// Refuses pairs with a number that is not finite.
    pub(crate) fn ensure_finite_pairs(pairs: &[(f64, f64)]) -> Result<(), Self> {
        let mut each = pairs.iter().enumerate();
        match each.find(|(_, (first, second))| !(first.is_finite() && second.is_finite())) {
            Some((pair, &(first, second))) => Err(Self::NonFinitePair {
                pair,
                first,
                second,
            }),
            None => Ok(()),
        }
    }

    /// Refuses a limit below the `needed` one.
    pub(crate) fn ensure_enough(
        (name, found): (&'static str, usize),
        method: &'static str,
        needed: usize,
    ) -> Result<(), Self> {
        if found >= needed {
            return Ok(());
        }
        Err(Self::NoProbes {
            method,
            name,
            needed,
            found,
        })
    }
}
