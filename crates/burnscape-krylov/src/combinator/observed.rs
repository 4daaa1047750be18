use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use crate::{HasAdjoint, LinearOperator, SelfAdjoint, Step, VectorSpace};

/// The same operator, with an observer of the runs that multiply it:
/// [`LinearOperator::observed`] makes it.
///
/// The observer is called after every step, and ends the run by returning `Break`. No lock is held during the call. Work
/// that it starts on this operator is not observed, nor are steps that other threads make at the same time.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, EigenpairsConfig, Which, LinearOperator, Outcome, Symmetric};
/// use std::ops::ControlFlow;
///
/// let values: Vec<f64> = (0..200).map(f64::from).collect();
/// let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0)?;
/// let limited = a.observed(|step| {
///     if step.num_matvecs < 20 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
/// });
/// let top = EigenpairsConfig::new(1, Which::Largest).run(&limited)?;
/// assert_eq!(top.outcome, Outcome::Stopped);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Observed<A, F> {
    operator: A,
    /// None while it is called.
    observer: Mutex<Option<F>>,
}

impl<A, F> Observed<A, F> {
    pub(crate) fn new(operator: A, observer: F) -> Self {
        Self {
            operator,
            observer: Mutex::new(Some(observer)),
        }
    }

    // Nothing can panic while the lock is held.
    fn swap(&self, observer: Option<F>) -> Option<F> {
        let place = self.observer.lock();
        std::mem::replace(
            &mut *place.unwrap_or_else(PoisonError::into_inner),
            observer,
        )
    }
}

/// An observer during its call; it returns to its place even if it panics.
struct Called<'a, A, F> {
    place: &'a Observed<A, F>,
    observer: Option<F>,
}

impl<A, F> Drop for Called<'_, A, F> {
    fn drop(&mut self) {
        self.place.swap(self.observer.take());
    }
}

impl<A: LinearOperator, F: FnMut(&Step) -> ControlFlow<()>> LinearOperator for Observed<A, F> {
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
        self.operator.matvec(v)
    }

    fn matmat(&self, vectors: &[A::Domain]) -> Result<Vec<A::Range>, A::Error> {
        self.operator.matmat(vectors)
    }

    fn report(&self, step: &Step) -> ControlFlow<()> {
        let inner = self.operator.report(step);
        let Some(observer) = self.swap(None) else {
            return inner;
        };
        let mut called = Called {
            place: self,
            observer: Some(observer),
        };
        let own = called.observer.as_mut().map(|observer| observer(step));
        if inner.is_break() {
            return inner;
        }
        own.unwrap_or(inner)
    }

    fn is_stop(&self, error: &A::Error) -> bool {
        self.operator.is_stop(error)
    }

    fn preconditioner(&self) -> Option<&crate::operator::Preconditioner<'_, A>> {
        self.operator.preconditioner()
    }
}

impl<A: HasAdjoint, F: FnMut(&Step) -> ControlFlow<()>> HasAdjoint for Observed<A, F> {
    fn matvec_adjoint(&self, u: &A::Range) -> Result<A::Domain, A::Error> {
        self.operator.matvec_adjoint(u)
    }

    fn matmat_adjoint(&self, vectors: &[A::Range]) -> Result<Vec<A::Domain>, A::Error> {
        self.operator.matmat_adjoint(vectors)
    }
}

impl<A: SelfAdjoint, F: FnMut(&Step) -> ControlFlow<()>> SelfAdjoint for Observed<A, F> {}

impl<A: fmt::Debug, F> fmt::Debug for Observed<A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Observed");
        fields.field("operator", &self.operator);
        fields.finish_non_exhaustive()
    }
}
