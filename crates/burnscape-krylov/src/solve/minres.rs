use super::Solution;
use super::checked_preconditioner::CheckedPreconditioner;
use super::range::Range;
use super::system::{Ended, System};
use crate::vector::{divided, is_ordinary, raised};
use crate::{KrylovFault, SelfAdjoint, VectorSpace};

impl<A: SelfAdjoint + ?Sized> System<'_, A> {
    pub(super) fn minres(&self) -> Result<Solution<A::Vector>, A::Error> {
        let (operator, b, space_epsilon) = (self.operator, self.b, self.epsilon);
        let (mut x, mut products) = (b.zeros_like()?, 0);
        let mut range = Range::of(self.size, space_epsilon);
        let mut preconditioner = CheckedPreconditioner::of(operator);
        // Lanczos vectors before the preconditioner (r) and after it (y).
        let mut older = b.zeros_like()?;
        let mut newer = raised(b.clone(), -range.right);
        let (mut y, square) = preconditioner.apply(&newer)?;
        let start = square.sqrt();
        let (mut beta, mut before) = (start, 0.0);
        // The rotation that keeps the small matrix triangular, and the entries that it has yet to rotate.
        let (mut cosine, mut sine) = (-1.0, 0.0);
        let (mut delta, mut epsilon, mut phi, mut first) = (0.0, 0.0, start, 0.0);
        let (mut residual, mut is_stopped) = (1.0, false);
        let mut w = b.zeros_like()?;
        let mut w_older = b.zeros_like()?;
        while products < self.max_matvecs && beta > 0.0 {
            let v = divided(y.clone(), beta);
            let mut product = match operator.matvec(&v) {
                Err(error) if operator.is_stop(&error) && products > 0 => {
                    is_stopped = true;
                    break;
                }
                product => raised(product?, -range.operator),
            };
            products += 1;
            if products > 1 {
                product = product.axpy(-beta / before, &older)?;
            }
            let mut alpha = v.dot(&product)?;
            if products == 1 && !is_ordinary(alpha, space_epsilon) {
                range.operator = range.of_product(&product, &v, space_epsilon)?;
                product = raised(product, -range.operator);
                alpha = v.dot(&product)?;
            }
            if !alpha.is_finite() {
                return Err(KrylovFault::NonFinite {
                    product: products - 1,
                }
                .into());
            }
            product = product.axpy(-alpha / beta, &newer)?;
            older = newer;
            newer = product;
            before = beta;
            let next = match preconditioner.apply_to_any(&newer) {
                Err(error) if products > 1 && preconditioner.is_stop(&error) => {
                    is_stopped = true;
                    break;
                }
                next => next?,
            };
            (y, beta) = (next.0, next.1.sqrt());
            if !beta.is_finite() {
                return Err(KrylovFault::NonFinite {
                    product: products - 1,
                }
                .into());
            }

            let diagonal = cosine * delta + sine * alpha;
            let corner = sine * delta - cosine * alpha;
            let next_epsilon = sine * beta;
            delta = -cosine * beta;
            let gamma = corner.hypot(beta);
            // An exhausted Krylov space: nothing can get better. Where the operator is singular on
            // it, the last step leads nowhere. At the first step `before` is the size of `b`, which says
            // nothing of the operator.
            let known = if products > 1 { before } else { 0.0 };
            let nothing = 64.0 * space_epsilon * (alpha.abs() + known);
            if gamma <= nothing {
                break;
            }
            if products == 1 {
                first = gamma;
            } else if products == 2 && first <= 64.0 * space_epsilon * alpha.abs() {
                // What the first product was of is now known: rounding.
                x = b.zeros_like()?;
                break;
            }
            (cosine, sine) = (corner / gamma, beta / gamma);
            let step = cosine * phi;
            phi *= sine;
            let mut next = v.axpy(-epsilon, &w_older)?;
            next = next.axpy(-diagonal, &w)?;
            w_older = w;
            w = divided(next, gamma);
            x = x.axpy(step, &w)?;
            epsilon = next_epsilon;

            residual = phi.abs() / start;
            is_stopped = self.report(residual, products);
            if residual <= self.tolerance || is_stopped || beta <= nothing {
                break;
            }
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
