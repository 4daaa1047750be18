use super::Eigenpair;
use crate::error::raise;
use crate::vector::divided;
use crate::{KrylovError, LinearOperator, SelfAdjoint, Square, VectorSpace};

/// Pairs with their true residuals, by one block of products. `before` is how many products there were,
/// to name one that is not finite.
pub(crate) fn measured<A: SelfAdjoint + ?Sized>(
    operator: &A,
    pairs: Vec<(f64, <A as Square>::Vector)>,
    before: usize,
) -> Result<Vec<Eigenpair<A::Vector>>, KrylovError<A::Error>> {
    let (values, vectors): (Vec<f64>, Vec<A::Vector>) = pairs.into_iter().unzip();
    let vectors = vectors.into_iter().map(|vector| {
        let norm = vector.norm()?;
        Ok(divided(vector, norm))
    });
    let vectors: Result<Vec<A::Vector>, <A::Vector as VectorSpace>::Error> = vectors.collect();
    let vectors = vectors.map_err(raise)?;
    let products = products(operator, &vectors, before)?;
    let all = values.into_iter().zip(vectors).zip(products);
    all.enumerate()
        .map(|(index, ((value, vector), product))| {
            let rest = product.axpy(-value, &vector).map_err(raise)?;
            let residual = rest.norm().map_err(raise)?;
            match residual.is_finite() {
                true => Ok(Eigenpair {
                    value,
                    vector,
                    residual,
                }),
                false => Err(KrylovError::NonFinite {
                    product: before + index,
                }),
            }
        })
        .collect()
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
