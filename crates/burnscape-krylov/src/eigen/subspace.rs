use super::{Eigenpair, Which};
use crate::basis::{ROUNDING, outside};
use crate::lanczos::Projected;
use crate::vector::divided;
use crate::{KrylovFault, Probe, SelfAdjoint, VectorBlock, VectorSpace};

/// An orthonormal basis with the products of its vectors.
pub(super) struct Subspace<V: VectorSpace> {
    space: V::Space,
    basis: V::Block,
    images: V::Block,
    projected: Projected,
    seed: u64,
    /// Random vectors drawn so far.
    drawn: u64,
    /// Products that observers have seen, and whether one of them ended the run.
    pub(super) reported: usize,
    pub(super) is_stopped: bool,
}

impl<V: VectorSpace> Subspace<V> {
    pub(super) fn new(space: V::Space, capacity: usize, seed: u64) -> Result<Self, V::Error> {
        Ok(Self {
            basis: V::Block::with_capacity(&space, capacity)?,
            images: V::Block::with_capacity(&space, capacity)?,
            space,
            projected: Projected::default(),
            seed,
            drawn: 0,
            reported: 0,
            is_stopped: false,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.basis.len()
    }

    /// The product of the newest vector.
    pub(super) fn newest_image(&self) -> Result<Option<V>, V::Error> {
        match self.len().checked_sub(1) {
            None => Ok(None),
            Some(newest) => self.images.get(newest),
        }
    }

    /// Takes in vectors, those that depend on the rest left out: how many there were. None, and the subspace is as
    /// it was, if an observer ended their products; that is an error if there is no subspace yet.
    pub(super) fn push<A: SelfAdjoint<Vector = V> + ?Sized>(
        &mut self,
        operator: &A,
        vectors: Vec<V>,
    ) -> Result<usize, A::Error> {
        let before = self.len();
        let mut fresh = Vec::new();
        for v in vectors {
            let least = ROUNDING * v.epsilon();
            if let Some(q) = outside(&[&self.basis], v, least)? {
                self.basis.push(q.clone())?;
                fresh.push(q);
            }
        }
        let products = match fresh.as_slice() {
            [] => Ok(Vec::new()),
            [q] => operator.matvec(q).map(|product| vec![product]),
            _ => operator.matmat(&fresh),
        };
        let products = match products {
            Err(error) if operator.is_stop(&error) && before > 0 => {
                self.basis.truncate(before);
                self.is_stopped = true;
                return Ok(0);
            }
            products => products?,
        };
        if products.len() != fresh.len() {
            return Err(KrylovFault::ProductCount {
                expected: fresh.len(),
                found: products.len(),
            }
            .into());
        }
        for (index, product) in products.into_iter().enumerate() {
            let mut row = self.basis.dots(&product)?;
            let position = before + index;
            if !row.iter().all(|entry| entry.is_finite()) {
                return Err(KrylovFault::NonFinite { product: position }.into());
            }
            row.truncate(position + 1);
            self.projected.push(row);
            self.images.push(product)?;
        }
        Ok(fresh.len())
    }

    pub(super) fn random(&mut self) -> Result<V, V::Error> {
        let v = Probe::Gaussian.draw::<V>(&self.space, self.seed, self.drawn);
        self.drawn += 1;
        v
    }

    /// The Ritz values, the outermost first, each with its coefficients.
    pub(super) fn ritz(&self, which: Which) -> Vec<(f64, Vec<f64>)> {
        which.outermost(self.projected.eigen(0..self.len()), self.len())
    }

    /// `A v − θ v` for the Ritz pair with these coefficients, from the products there are.
    pub(super) fn residual(&self, (value, coefficients): &(f64, Vec<f64>)) -> Result<V, V::Error> {
        let image = self.images.linear_combination(coefficients)?;
        image.axpy(-value, &self.basis.linear_combination(coefficients)?)
    }

    /// The operator in the basis.
    pub(super) fn projected(&self) -> &Projected {
        &self.projected
    }

    pub(super) fn pair(&self, ritz: &(f64, Vec<f64>)) -> Result<Eigenpair<V>, V::Error> {
        let vector = self.basis.linear_combination(&ritz.1)?;
        let norm = vector.norm()?;
        Ok(Eigenpair {
            value: ritz.0,
            residual: self.residual(ritz)?.norm()?,
            vector: divided(vector, norm),
        })
    }
}
