use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{HasAdjoint, LinearOperator, SelfAdjoint, Step, VectorSpace};

/// The same operator, counting its products.
///
/// A block of vectors counts as many products as it has vectors. A product is counted when it is
/// requested, whether or not it succeeds.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Counted, Dense, Symmetric};
///
/// let counted = Counted::new(Dense::identity(3));
/// Symmetric::verified(&counted, 0.0, 0)?;
/// assert_eq!(counted.num_matvecs(), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Counted<A> {
    operator: A,
    // Atomic, so that an operator that threads may share stays one.
    num_matvecs: AtomicUsize,
    num_matvecs_adjoint: AtomicUsize,
}

impl<A> Counted<A> {
    /// Starts counting at zero.
    pub fn new(operator: A) -> Self {
        Self {
            operator,
            num_matvecs: AtomicUsize::new(0),
            num_matvecs_adjoint: AtomicUsize::new(0),
        }
    }

    /// The operator whose products are counted.
    pub fn operator(&self) -> &A {
        &self.operator
    }

    /// The number of products.
    pub fn num_matvecs(&self) -> usize {
        self.num_matvecs.load(Ordering::Relaxed)
    }

    /// The number of products with the adjoint.
    pub fn num_matvecs_adjoint(&self) -> usize {
        self.num_matvecs_adjoint.load(Ordering::Relaxed)
    }

    /// Returns the operator.
    pub fn into_inner(self) -> A {
        self.operator
    }
}

impl<A: LinearOperator> LinearOperator for Counted<A> {
    type Domain = A::Domain;
    type Range = A::Range;
    type Error = A::Error;

    fn domain(&self) -> <A::Domain as VectorSpace>::Space {
        self.operator.domain()
    }

    fn range(&self) -> <A::Range as VectorSpace>::Space {
        self.operator.range()
    }

    fn matvec(&self, v: &A::Domain) -> Result<A::Range, A::Error> {
        self.num_matvecs.fetch_add(1, Ordering::Relaxed);
        self.operator.matvec(v)
    }

    fn matmat(&self, vectors: &[A::Domain]) -> Result<Vec<A::Range>, A::Error> {
        self.num_matvecs.fetch_add(vectors.len(), Ordering::Relaxed);
        self.operator.matmat(vectors)
    }

    fn report(&self, step: &Step) -> ControlFlow<()> {
        self.operator.report(step)
    }

    fn is_stop(&self, error: &A::Error) -> bool {
        self.operator.is_stop(error)
    }
}

impl<A: HasAdjoint> HasAdjoint for Counted<A> {
    fn matvec_adjoint(&self, u: &A::Range) -> Result<A::Domain, A::Error> {
        self.num_matvecs_adjoint.fetch_add(1, Ordering::Relaxed);
        self.operator.matvec_adjoint(u)
    }

    fn matmat_adjoint(&self, vectors: &[A::Range]) -> Result<Vec<A::Domain>, A::Error> {
        self.num_matvecs_adjoint
            .fetch_add(vectors.len(), Ordering::Relaxed);
        self.operator.matmat_adjoint(vectors)
    }
}

impl<A: SelfAdjoint> SelfAdjoint for Counted<A> {}
