use super::Solution;
use super::checked_preconditioner::CheckedPreconditioner;
use super::range::Range;
use super::system::{Ended, System};
use crate::vector::{is_ordinary, norm, raised, times_power};
use crate::{KrylovFault, SelfAdjoint, VectorSpace};

impl<A: SelfAdjoint + ?Sized> System<'_, A> {
    pub(super) fn conjugate_gradients(&self) -> Result<Solution<A::Vector>, A::Error> {
        let (operator, epsilon) = (self.operator, self.epsilon);
        let mut x = self.b.zeros_like()?;
        let (mut products, mut residual, mut is_stopped) = (0, 1.0, false);
        let mut range = Range::of(self.size, epsilon);
        let mut preconditioner = CheckedPreconditioner::of(operator);
        let mut rest = raised(self.b.clone(), -range.right);
        let start = times_power(self.size, -range.right);
        let (mut direction, mut gamma) = preconditioner.apply(&rest)?;
        // The square of the direction's length, in the norm of the preconditioner's inverse.
        let (mut square, mut largest) = (gamma, 0.0_f64);
        while products < self.max_matvecs {
            let mut product = match operator.matvec(&direction) {
                Err(error) if operator.is_stop(&error) && products > 0 => {
                    is_stopped = true;
                    break;
                }
                product => raised(product?, -range.operator),
            };
            let mut bend = direction.dot(&product)?;
            if products == 0 && !is_ordinary(bend / square, epsilon) {
                range.operator = range.of_product(&product, &direction, epsilon)?;
                product = raised(product, -range.operator);
                bend = direction.dot(&product)?;
            }
            if !bend.is_finite() {
                return Err(KrylovFault::NonFinite { product: products }.into());
            }
            let curvature = bend / square;
            // Positive by more than the rounding of the largest curvature so far.
            if !(bend > 0.0 && curvature > epsilon / 16.0 * largest) {
                let value = times_power(curvature, range.operator);
                return Err(KrylovFault::NotPositive {
                    product: products,
                    value,
                }
                .into());
            }
            largest = largest.max(curvature);
            let length = gamma / bend;
            x = x.axpy(length, &direction)?;
            rest = rest.axpy(-length, &product)?;
            let rest_square = rest.dot(&rest)?;
            residual = norm(&rest, rest_square)? / start;
            if !residual.is_finite() {
                return Err(KrylovFault::NonFinite { product: products }.into());
            }
            products += 1;
            is_stopped = self.report(residual, products);
            if residual <= self.tolerance || is_stopped {
                break;
            }
            let (improved, next) = match preconditioner.apply_known(&rest, rest_square) {
                Err(error) if preconditioner.is_stop(&error) => {
                    is_stopped = true;
                    break;
                }
                improved => improved?,
            };
            let share = next / gamma;
            direction = improved.axpy(share, &direction)?;
            square = next + share * share * square;
            gamma = next;
        }
        let ended = Ended {
            x,
            residual,
            num_matvecs: products,
            is_stopped,
        };
        self.finish(&range, ended)
    }
}
