use super::{Eigenpair, Eigenpairs};
use crate::operator::unchecked_products;
use crate::vector::divided;
use crate::{KrylovFault, Outcome, SelfAdjoint, Square, VectorSpace};

/// How a search for eigenpairs ended, before residuals are measured.
pub(super) struct Ending {
    /// Whether all wanted pairs were found, if their residuals are small.
    pub(super) is_found: bool,
    pub(super) is_stopped: bool,
    /// Whether residuals are measured, unless an observer ended the run.
    pub(super) is_measured: bool,
    pub(super) goal: f64,
    /// What a measured residual may exceed the goal by: the rounding of one more product.
    pub(super) rounding: f64,
    pub(super) num_matvecs: usize,
    pub(super) num_restarts: usize,
}

impl Ending {
    /// The result, with vectors of norm one and true residuals.
    pub(super) fn result<A: SelfAdjoint + ?Sized>(
        self,
        operator: &A,
        estimated: Vec<Eigenpair<<A as Square>::Vector>>,
    ) -> Result<Eigenpairs<A::Vector>, A::Error> {
        let (mut is_stopped, mut num_matvecs) = (self.is_stopped, self.num_matvecs);
        let pairs = if self.is_measured && !is_stopped {
            let (pairs, checks) = measured(operator, estimated, num_matvecs)?;
            is_stopped = checks < pairs.len();
            num_matvecs += checks;
            pairs
        } else {
            of_norm_one(estimated)?
        };
        let allowed = self.goal + self.rounding;
        let is_small = pairs.iter().all(|pair| pair.residual <= allowed);
        let outcome = Outcome::of(self.is_found && is_small, is_stopped);
        let mut found = Eigenpairs::new(pairs, outcome, self.goal, num_matvecs);
        found.num_restarts = self.num_restarts;
        Ok(found)
    }
}

/// Pairs, and the number of products that their residuals took.
type Measured<V> = (Vec<Eigenpair<V>>, usize);

/// Pairs with true residuals, by one block of products. If an observer ends the block, the residuals stay the estimated
/// ones, at the cost of no product. `before` is the number of earlier products, to name one that is not finite.
pub(crate) fn measured<A: SelfAdjoint + ?Sized>(
    operator: &A,
    estimated: Vec<Eigenpair<<A as Square>::Vector>>,
    before: usize,
) -> Result<Measured<A::Vector>, A::Error> {
    let mut pairs = of_norm_one(estimated)?;
    let vectors: Vec<A::Vector> = pairs.iter().map(|pair| pair.vector.clone()).collect();
    let products = match unchecked_products(operator, &vectors) {
        Err(error) if operator.is_stop(&error) => return Ok((pairs, 0)),
        products => products?,
    };
    for (index, (pair, product)) in pairs.iter_mut().zip(products).enumerate() {
        let rest = product.axpy(-pair.value, &pair.vector)?;
        pair.residual = rest.norm()?;
        if !pair.residual.is_finite() {
            return Err(KrylovFault::NonFinite {
                product: before + index,
            }
            .into());
        }
    }
    let num_matvecs = pairs.len();
    Ok((pairs, num_matvecs))
}

/// The pairs with vectors of norm one, which combinations of a basis are to rounding.
pub(super) fn of_norm_one<V: VectorSpace>(
    mut pairs: Vec<Eigenpair<V>>,
) -> Result<Vec<Eigenpair<V>>, V::Error> {
    for pair in &mut pairs {
        let norm = pair.vector.norm()?;
        pair.vector = divided(pair.vector.clone(), norm);
    }
    Ok(pairs)
}
