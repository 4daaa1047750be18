use super::Solution;
use super::range::Range;
use crate::{KrylovFault, Outcome, SelfAdjoint, Step, VectorSpace};

/// A linear system with a right-hand side that is not zero.
pub(super) struct System<'a, A: SelfAdjoint + ?Sized> {
    pub(super) operator: &'a A,
    pub(super) b: &'a A::Vector,
    /// `|b|`.
    pub(super) size: f64,
    /// Of the vectors.
    pub(super) epsilon: f64,
    pub(super) tolerance: f64,
    pub(super) max_matvecs: usize,
}

/// The state at which the iterations ended, with the residual by their recurrence.
pub(super) struct Ended<V> {
    pub(super) x: V,
    pub(super) residual: f64,
    pub(super) num_matvecs: usize,
    pub(super) is_stopped: bool,
}

impl<A: SelfAdjoint + ?Sized> System<'_, A> {
    /// Shows an iteration to an observer: whether the run is to end.
    pub(super) fn report(&self, residual: f64, num_matvecs: usize) -> bool {
        let step = Step::new("linear system", num_matvecs)
            .with_limit(self.max_matvecs)
            .with_error(residual)
            .with_goal(self.tolerance);
        self.operator.report(&step).is_break()
    }

    /// The solution with its true residual.
    pub(super) fn finish(
        &self,
        range: &Range,
        ended: Ended<A::Vector>,
    ) -> Result<Solution<A::Vector>, A::Error> {
        let x = range.solution(ended.x)?;
        let product = match self.operator.matvec(&x) {
            Err(error) if self.operator.is_stop(&error) => {
                return Ok(Solution {
                    x,
                    residual: ended.residual,
                    num_matvecs: ended.num_matvecs,
                    outcome: Outcome::Stopped,
                });
            }
            product => product?,
        };
        let residual = self.b.clone().axpy(-1.0, &product)?.norm()? / self.size;
        if !residual.is_finite() {
            return Err(KrylovFault::NonFinite {
                product: ended.num_matvecs,
            }
            .into());
        }
        // The recurrence drifts from the truth by rounding.
        let allowed = self.tolerance + 64.0 * self.epsilon;
        Ok(Solution {
            outcome: Outcome::of(residual <= allowed, ended.is_stopped),
            x,
            residual,
            num_matvecs: ended.num_matvecs + 1,
        })
    }
}
