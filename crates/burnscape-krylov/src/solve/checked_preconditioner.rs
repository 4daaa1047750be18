use crate::operator::Preconditioner;
use crate::vector::{excess, raised};
use crate::{KrylovFault, SelfAdjoint, VectorSpace};

/// The preconditioner of an operator, if it has one, with checks of its results.
pub(super) struct CheckedPreconditioner<'a, A: SelfAdjoint + ?Sized> {
    preconditioner: Option<&'a Preconditioner<'a, A>>,
    num_results: usize,
    /// The power of two that is taken out of all results.
    power: i32,
}

impl<'a, A: SelfAdjoint + ?Sized> CheckedPreconditioner<'a, A> {
    pub(super) fn of(operator: &'a A) -> Self {
        Self {
            preconditioner: operator.preconditioner(),
            num_results: 0,
            power: 0,
        }
    }

    /// Whether an observer of the preconditioner ended its product.
    pub(super) fn is_stop(&self, error: &A::Error) -> bool {
        self.preconditioner
            .is_some_and(|operator| operator.is_stop(error))
    }

    /// `(P r, rᵀ P r)`; the second is positive. A power of two is taken out of both where necessary.
    pub(super) fn apply(&mut self, r: &A::Vector) -> Result<(A::Vector, f64), A::Error> {
        let (improved, form) = self.apply_to_any(r)?;
        self.ensure_definite(form > 0.0, form)?;
        Ok((improved, form))
    }

    /// As [`apply`](Self::apply), for a vector whose `rᵀ r` is known: without a preconditioner it is the form.
    pub(super) fn apply_known(
        &mut self,
        r: &A::Vector,
        square: f64,
    ) -> Result<(A::Vector, f64), A::Error> {
        if self.preconditioner.is_some() {
            return self.apply(r);
        }
        self.num_results += 1;
        self.ensure_definite(square > 0.0, square)?;
        Ok((r.clone(), square))
    }

    /// As [`apply`](Self::apply), where the vector may be zero.
    pub(super) fn apply_to_any(&mut self, r: &A::Vector) -> Result<(A::Vector, f64), A::Error> {
        let application = self.num_results;
        self.num_results += 1;
        let Some(preconditioner) = self.preconditioner else {
            return Ok((r.clone(), r.dot(r)?));
        };
        let mut improved = preconditioner.matvec(r)?;
        if application == 0 {
            self.power = excess(improved.norm()?, r.epsilon());
        }
        improved = raised(improved, -self.power);
        let form = r.dot(&improved)?;
        if !form.is_finite() {
            return Err(KrylovFault::NonFinitePreconditioner { application }.into());
        }
        self.ensure_definite(form >= 0.0, form)?;
        Ok((improved, form))
    }

    fn ensure_definite(&self, is_definite: bool, value: f64) -> Result<(), KrylovFault> {
        if is_definite {
            return Ok(());
        }
        Err(KrylovFault::IndefinitePreconditioner {
            application: self.num_results - 1,
            value,
        })
    }
}
