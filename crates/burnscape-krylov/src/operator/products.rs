use crate::{KrylovFault, LinearOperator, VectorSpace};

/// A block of products, one for each vector, all finite. This takes a host synchronization for each.
pub(crate) fn products<A: LinearOperator + ?Sized>(
    operator: &A,
    vectors: &[A::Domain],
    before: usize,
) -> Result<Vec<A::Range>, A::Error> {
    let products = unchecked_products(operator, vectors)?;
    for (index, product) in products.iter().enumerate() {
        if !product.norm()?.is_finite() {
            return Err(KrylovFault::NonFinite {
                product: before + index,
            }
            .into());
        }
    }
    Ok(products)
}

/// A block of products, one for each vector, for callers that notice from their own numbers if one is not finite.
pub(crate) fn unchecked_products<A: LinearOperator + ?Sized>(
    operator: &A,
    vectors: &[A::Domain],
) -> Result<Vec<A::Range>, A::Error> {
    if vectors.is_empty() {
        return Ok(Vec::new());
    }
    let products = operator.matmat(vectors)?;
    if products.len() != vectors.len() {
        return Err(KrylovFault::ProductCount {
            expected: vectors.len(),
            found: products.len(),
        }
        .into());
    }
    Ok(products)
}
