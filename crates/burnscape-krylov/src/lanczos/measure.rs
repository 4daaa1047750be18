use super::Eigenpair;
use crate::error::raise;
use crate::vector::divided;
use crate::{KrylovError, LinearOperator, SelfAdjoint, Square, VectorSpace};

/// Pairs, and how many products their residuals took.
pub(crate) type Measured<A> = Result<
    (Vec<Eigenpair<<A as Square>::Vector>>, usize),
    KrylovError<<A as LinearOperator>::Error>,
>;

/// Pairs with true residuals, by one block of products, and how many products that took: none, and the
/// residuals that were estimated, if an observer ended the block. `before` is how many products there were, to
/// name one that is not finite.
pub(crate) fn measured<A: SelfAdjoint + ?Sized>(
    operator: &A,
    estimated: Vec<Eigenpair<<A as Square>::Vector>>,
    before: usize,
) -> Measured<A> {
    let mut pairs = of_norm_one(estimated).map_err(raise)?;
    let (estimates, vectors): (Vec<(f64, f64)>, Vec<A::Vector>) = pairs
        .into_iter()
        .map(|pair| ((pair.value, pair.residual), pair.vector))
        .unzip();
    let products = match products(operator, &vectors, before) {
        Err(error) if error.is_stop(operator) => None,
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
        let rest = product.axpy(-pair.value, &pair.vector).map_err(raise)?;
        pair.residual = rest.norm().map_err(raise)?;
        if !pair.residual.is_finite() {
            return Err(KrylovError::NonFinite {
                product: before + index,
            });
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

/// A block of products, as many as were asked for, all finite.
pub(crate) fn products<A: LinearOperator + ?Sized>(
    operator: &A,
    vectors: &[A::Domain],
    before: usize,
) -> Result<Vec<A::Range>, KrylovError<A::Error>> {
    if vectors.is_empty() {
        return Ok(Vec::new());
    }
    let products = operator.matmat(vectors)?;
    if products.len() != vectors.len() {
        return Err(KrylovError::ProductCount {
            expected: vectors.len(),
            found: products.len(),
        });
    }
    for (index, product) in products.iter().enumerate() {
        if !product.norm().map_err(raise)?.is_finite() {
            return Err(KrylovError::NonFinite {
                product: before + index,
            });
        }
    }
    Ok(products)
}
