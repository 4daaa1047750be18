use std::ops::ControlFlow;

use crate::{HasAdjoint, KrylovFault, LinearOperator, SelfAdjoint, Square, Step, VectorSpace};

/// Pairs of vectors that a claim is checked with. One would suffice; the second costs two more products.
const PAIRS: usize = 2;

/// An operator whose type does not claim that it is self-adjoint, with the claim checked.
///
/// # Cost
///
/// Four products when it is made, none later.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, KrylovFault, Product, Symmetric, Transposed};
///
/// let j = Dense::from_rows(&[[1.0, 2.0], [0.0, 1.0], [0.0, 0.0]])?;
/// let gram = Product::new(Transposed::new(&j), &j)?;
/// assert!(Symmetric::verified(gram, 1e-12, 0)?.defect() < 1e-15);
///
/// let shear = Dense::from_rows(&[[1.0, 1.0], [0.0, 1.0]])?;
/// let refused = Symmetric::verified(shear, 1e-12, 0).map(|_| ());
/// assert!(matches!(refused, Err(KrylovFault::NotSymmetric { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Symmetric<A> {
    operator: A,
    defect: f64,
}

impl<A: Square> Symmetric<A> {
    /// Takes an operator whose [`symmetry_defect`](Square::symmetry_defect) over two pairs of vectors is at most
    /// `tolerance`.
    ///
    /// # Units
    ///
    /// Those of [`symmetry_defect`](Square::symmetry_defect): a tolerance is a multiple of the `epsilon` of the vectors.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::NotSymmetric`], [`KrylovFault::OutOfBounds`],
    /// [`KrylovFault::NonFinite`], and those of the operator.
    ///
    /// # Reproducibility
    ///
    /// `seed` names the vectors.
    pub fn verified(operator: A, tolerance: f64, seed: u64) -> Result<Self, A::Error> {
        if tolerance.is_nan() || tolerance < 0.0 {
            return Err(KrylovFault::OutOfBounds {
                name: "tolerance",
                value: tolerance,
                allowed: "zero or a positive number",
            }
            .into());
        }
        let defect = operator.symmetry_defect(PAIRS, seed)?;
        if defect > tolerance {
            return Err(KrylovFault::NotSymmetric { defect, tolerance }.into());
        }
        Ok(Self { operator, defect })
    }
}

impl<A> Symmetric<A> {
    /// The operator the claim is about.
    pub fn operator(&self) -> &A {
        &self.operator
    }

    /// The defect that was measured.
    pub fn defect(&self) -> f64 {
        self.defect
    }
}

impl<A: Square> LinearOperator for Symmetric<A> {
    type Domain = A::Vector;
    type Range = A::Vector;
    type Error = A::Error;

    fn domain(&self) -> <A::Vector as VectorSpace>::Space {
        self.operator.domain()
    }

    fn range(&self) -> <A::Vector as VectorSpace>::Space {
        self.operator.range()
    }

    fn matvec(&self, v: &A::Vector) -> Result<A::Vector, A::Error> {
        self.operator.matvec(v)
    }

    fn matmat(&self, vectors: &[A::Vector]) -> Result<Vec<A::Vector>, A::Error> {
        self.operator.matmat(vectors)
    }

    fn report(&self, step: &Step) -> ControlFlow<()> {
        self.operator.report(step)
    }

    fn is_stop(&self, error: &A::Error) -> bool {
        self.operator.is_stop(error)
    }
}

/// The product itself: the adjoint need not be known.
impl<A: Square> HasAdjoint for Symmetric<A> {
    fn matvec_adjoint(&self, u: &A::Vector) -> Result<A::Vector, A::Error> {
        self.operator.matvec(u)
    }

    fn matmat_adjoint(&self, vectors: &[A::Vector]) -> Result<Vec<A::Vector>, A::Error> {
        self.operator.matmat(vectors)
    }
}

impl<A: Square> SelfAdjoint for Symmetric<A> {}
