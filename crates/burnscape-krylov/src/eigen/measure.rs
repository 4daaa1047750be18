use super::Eigenpair;
use crate::operator::products;
use crate::vector::divided;
use crate::{KrylovFault, SelfAdjoint, Square, VectorSpace};

/// Pairs, and the number of products that their residuals took.
type Measured<V> = (Vec<Eigenpair<V>>, usize);

/// Pairs with true residuals, by one block of products, and how many products that took: none, and the
/// residuals that were estimated, if an observer ended the block. `before` is how many products there were, to
/// name one that is not finite.
pub(crate) fn measured<A: SelfAdjoint + ?Sized>(
    operator: &A,
    estimated: Vec<Eigenpair<<A as Square>::Vector>>,
    before: usize,
) -> Result<Measured<A::Vector>, A::Error> {
    let mut pairs = of_norm_one(estimated)?;
    let (estimates, vectors): (Vec<(f64, f64)>, Vec<A::Vector>) = pairs
        .into_iter()
        .map(|pair| ((pair.value, pair.residual), pair.vector))
        .unzip();
    let products = match products(operator, &vectors, before) {
        Err(error) if operator.is_stop(&error) => None,
        products => Some(products?),
    };
    let all = estimates.into_iter().zip(vectors);
    pairs = all
        .map(|((value, residual), vector)| Eigenpair {
            value,
            vector,
            residual,
        })
        .collect();
    let Some(products) = products else {
        return Ok((pairs, 0));
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
    let count = pairs.len();
    Ok((pairs, count))
}

/// The pairs with vectors of norm one, which combinations of a basis are to rounding.
pub(crate) fn of_norm_one<V: VectorSpace>(
    pairs: Vec<Eigenpair<V>>,
) -> Result<Vec<Eigenpair<V>>, V::Error> {
    let pairs = pairs.into_iter().map(|pair| {
        let norm = pair.vector.norm()?;
        Ok(Eigenpair {
            vector: divided(pair.vector, norm),
            ..pair
        })
    });
    pairs.collect()
}
