use super::{VectorBlock, VectorSpace};
use crate::KrylovFault;

/// The plain block: vectors kept one by one. It serves every vector type.
///
/// # Cost
///
/// [`dots`](VectorBlock::dots) takes one host synchronization a vector. A vector type on a device
/// is faster with a specialized block.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{VectorBlock, VectorList};
///
/// let mut list = VectorList::<Vec<f64>>::with_capacity(&2, 1)?;
/// list.push(vec![3.0, 4.0])?;
/// assert_eq!(list.dots(&vec![1.0, 1.0])?, [7.0]);
/// assert!(list.push(vec![1.0]).is_err());
/// # Ok::<(), burnscape_krylov::KrylovFault>(())
/// ```
#[derive(Debug, Clone)]
pub struct VectorList<V: VectorSpace> {
    space: V::Space,
    vectors: Vec<V>,
}

impl<V: VectorSpace<Block = Self>> VectorBlock for VectorList<V> {
    type Vector = V;

    fn with_capacity(space: &V::Space, capacity: usize) -> Result<Self, V::Error> {
        Ok(Self {
            space: space.clone(),
            vectors: Vec::with_capacity(capacity),
        })
    }

    fn space(&self) -> V::Space {
        self.space.clone()
    }

    fn len(&self) -> usize {
        self.vectors.len()
    }

    fn push(&mut self, v: V) -> Result<(), V::Error> {
        V::check_same(&self.space, &v.space())?;
        self.vectors.push(v);
        Ok(())
    }

    fn adopt(&mut self, space: &V::Space) -> Result<(), V::Error> {
        V::check_same(space, &self.space)?;
        let vectors = std::mem::take(&mut self.vectors).into_iter();
        self.vectors = vectors
            .map(|v| v.adopted(space))
            .collect::<Result<_, _>>()?;
        self.space = space.clone();
        Ok(())
    }

    fn truncate(&mut self, len: usize) {
        self.vectors.truncate(len);
    }

    fn get(&self, index: usize) -> Result<Option<V>, V::Error> {
        Ok(self.vectors.get(index).cloned())
    }

    fn dots(&self, v: &V) -> Result<Vec<f64>, V::Error> {
        V::check_same(&self.space, &v.space())?;
        self.vectors.iter().map(|row| row.dot(v)).collect()
    }

    fn linear_combination(&self, coefficients: &[f64]) -> Result<V, V::Error> {
        if coefficients.len() != self.len() {
            let error = KrylovFault::CoefficientCount {
                expected: self.len(),
                found: coefficients.len(),
            };
            return Err(error.into());
        }
        let mut terms = coefficients.iter().zip(&self.vectors);
        // Started from the first term, not from zero: one pass over memory less.
        let Some((&first, row)) = terms.next() else {
            return V::zeros(&self.space);
        };
        terms.try_fold(row.clone().scale(first), |sum, (&coefficient, row)| {
            sum.axpy(coefficient, row)
        })
    }
}
