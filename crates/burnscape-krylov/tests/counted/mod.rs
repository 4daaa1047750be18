//! An operator that counts its products.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use burnscape_krylov::{HasAdjoint, LinearOperator, SelfAdjoint, Step, VectorSpace};

/// A block counts as many products as it has vectors. A product counts when it is requested, whether or not it succeeds.
#[derive(Debug)]
pub(crate) struct Counted<A> {
    operator: A,
    num_matvecs: AtomicUsize,
    num_matvecs_adjoint: AtomicUsize,
}

impl<A> Counted<A> {
    pub(crate) fn new(operator: A) -> Self {
        Self {
            operator,
            num_matvecs: AtomicUsize::new(0),
            num_matvecs_adjoint: AtomicUsize::new(0),
        }
    }

    pub(crate) fn operator(&self) -> &A {
        &self.operator
    }

    pub(crate) fn num_matvecs(&self) -> usize {
        self.num_matvecs.load(Ordering::Relaxed)
    }

    pub(crate) fn num_matvecs_adjoint(&self) -> usize {
        self.num_matvecs_adjoint.load(Ordering::Relaxed)
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
