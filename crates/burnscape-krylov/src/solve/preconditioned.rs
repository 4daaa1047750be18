use crate::vector::{excess, raised};
use crate::{KrylovFault, SelfAdjoint, Square, VectorSpace};

/// A preconditioner, or none, and the state of its checks.
pub(super) struct Preconditioned<'a, P: ?Sized> {
    operator: Option<&'a P>,
    /// Results so far.
    count: usize,
    /// The power of two that is taken out of all of them.
    power: i32,
}

impl<'a, P: SelfAdjoint + ?Sized> Preconditioned<'a, P> {
    pub(super) fn new(operator: Option<&'a P>) -> Self {
        Self {
            operator,
            count: 0,
            power: 0,
        }
    }

    /// Whether an observer of the preconditioner ended its product.
    pub(super) fn is_stop(&self, error: &P::Error) -> bool {
        self.operator
            .is_some_and(|operator| operator.is_stop(error))
    }

    /// `(P r, rᵀ P r)`; the second is positive. A power of two is taken out of both where it is needed.
    pub(super) fn apply(
        &mut self,
        r: &<P as Square>::Vector,
    ) -> Result<(P::Vector, f64), P::Error> {
        let (improved, form) = self.apply_to_any(r)?;
        match form > 0.0 {
            true => Ok((improved, form)),
            false => Err(KrylovFault::IndefinitePreconditioner {
                application: self.count - 1,
                value: form,
            }
            .into()),
        }
    }

    /// As [`apply`](Self::apply), where the vector may be zero.
    pub(super) fn apply_to_any(
        &mut self,
        r: &<P as Square>::Vector,
    ) -> Result<(P::Vector, f64), P::Error> {
        let application = self.count;
        self.count += 1;
        let Some(operator) = self.operator else {
            return Ok((r.clone(), r.dot(r)?));
        };
        let mut improved = operator.matvec(r)?;
        if application == 0 {
            let size = improved.norm()?;
            self.power = excess(size, r.epsilon());
        }
        improved = raised(improved, -self.power);
        let form = r.dot(&improved)?;
        if !form.is_finite() {
            return Err(KrylovFault::NonFinitePreconditioner { application }.into());
        }
        match form >= 0.0 {
            true => Ok((improved, form)),
            false => Err(KrylovFault::IndefinitePreconditioner {
                application,
                value: form,
            }
            .into()),
        }
    }
}
