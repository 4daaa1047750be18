use super::polished;
use crate::{KrylovFault, VectorBlock, VectorSpace};

/// Orthonormal vectors, checked at construction: `|Q Qᵀ − I| ≤ tolerance` in every entry.
///
/// Projections ([`Deflated`](crate::Deflated), [`Restricted`](crate::Restricted)) require this type.
///
/// # Defaults
///
/// The tolerance is `8 √dimension · epsilon`, ours: several times the rounding of a dot product that a device sums with the
/// accuracy of the coordinates. Vectors that were not orthonormalized exceed it by far.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{KrylovFault, Orthonormal, VectorBlock};
///
/// let vectors = vec![vec![2.0_f64, 0.0, 0.0], vec![1.0, 3.0, 0.0]];
/// let q = Orthonormal::orthonormalize(&3, vectors.clone())?;
/// assert_eq!(q.block().get(1)?, Some(vec![0.0, 1.0, 0.0]));
/// assert_eq!(q.defect(), 0.0);
///
/// let refused = Orthonormal::checked(&3, vectors).map(|_| ());
/// assert!(matches!(refused, Err(KrylovFault::NotOrthonormal { .. })));
/// # Ok::<(), KrylovFault>(())
/// ```
#[derive(Debug, Clone)]
pub struct Orthonormal<V: VectorSpace> {
    block: V::Block,
    defect: f64,
}

impl<V: VectorSpace> Orthonormal<V> {
    /// Wraps vectors that are already orthonormal.
    ///
    /// # Cost
    ///
    /// One [`gram`](VectorBlock::gram) of the vectors with themselves.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::NotOrthonormal`] (NaN is not) within the vectors' error, and the vectors' own for a vector of
    /// another space.
    pub fn checked(space: &V::Space, vectors: Vec<V>) -> Result<Self, V::Error> {
        Self::from_block(V::Block::from_vectors(space, vectors)?)
    }

    /// Wraps a block whose vectors are already orthonormal.
    ///
    /// # Cost
    ///
    /// One [`gram`](VectorBlock::gram) of the block with itself.
    ///
    /// # Errors
    ///
    /// As [`checked`](Self::checked).
    pub fn from_block(block: V::Block) -> Result<Self, V::Error> {
        let Some(sample) = block.get(0)? else {
            return Ok(Self { block, defect: 0.0 });
        };
        let tolerance = tolerance(&sample);
        let gram = block.gram(&block)?;
        let mut defect = 0.0_f64;
        for (first, row) in gram.rows().enumerate() {
            for (second, &product) in row.iter().enumerate() {
                let expected = if first == second { 1.0 } else { 0.0 };
                let distance = (product - expected).abs();
                if distance.is_nan() || distance > tolerance {
                    return Err(KrylovFault::NotOrthonormal {
                        first,
                        second,
                        product,
                        tolerance,
                    }
                    .into());
                }
                defect = defect.max(distance);
            }
        }
        Ok(Self { block, defect })
    }

    /// The orthonormal basis that Gram-Schmidt makes of `vectors`, in their order, by two block
    /// passes for each.
    ///
    /// # Cost
    ///
    /// For each vector two products with the block and two with its transpose; then the check of
    /// [`checked`](Self::checked).
    ///
    /// # Errors
    ///
    /// [`KrylovFault::Dependent`] for a vector of which no more than the rounding is left,
    /// the vectors' own for a vector of another space.
    pub fn orthonormalize(space: &V::Space, vectors: Vec<V>) -> Result<Self, V::Error> {
        let mut block = V::Block::with_capacity(space, vectors.len())?;
        for (index, v) in vectors.into_iter().enumerate() {
            V::check_same(space, &v.space())?;
            let smallest = tolerance(&v);
            let (_, first, [norm, left]) = block.split(v, &[0])?;
            let remainder = left / norm;
            // NaN, of a zero or non-finite vector, is refused. The remainder of a dependent vector is rounding, and no
            // direction.
            let unit = if remainder > smallest && norm.is_finite() {
                polished(&[&block], first, remainder * norm)?
            } else {
                None
            };
            let unit = unit.ok_or(KrylovFault::Dependent { index, remainder })?;
            block.push(unit)?;
        }
        Self::from_block(block)
    }

    /// The line along one vector of norm one, to rounding.
    pub(crate) fn line(v: V) -> Result<Self, V::Error> {
        let defect = (v.dot(&v)? - 1.0).abs();
        let block = V::Block::from_vectors(&v.space(), vec![v])?;
        Ok(Self { block, defect })
    }

    /// The vectors.
    pub fn block(&self) -> &V::Block {
        &self.block
    }

    /// The space of the vectors.
    pub fn space(&self) -> V::Space {
        self.block.space()
    }

    /// The number of vectors.
    pub fn len(&self) -> usize {
        self.block.len()
    }

    /// Whether there are no vectors.
    pub fn is_empty(&self) -> bool {
        self.block.is_empty()
    }

    /// The largest entry of `|Q Qᵀ − I|`.
    pub fn defect(&self) -> f64 {
        self.defect
    }

    /// Returns the vectors.
    pub fn into_block(self) -> V::Block {
        self.block
    }
}

fn tolerance<V: VectorSpace>(sample: &V) -> f64 {
    8.0 * (V::dimension(&sample.space()) as f64).sqrt() * sample.epsilon()
}
