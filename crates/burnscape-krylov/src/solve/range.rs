use crate::vector::{excess, exponent, raised};
use crate::{KrylovFault, VectorSpace};

/// The powers of two that were taken out of a linear system, so that squares are formed near one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    /// Of the operator.
    pub(super) operator: i32,
    /// Of the right-hand side.
    pub(super) right: i32,
}

impl Range {
    /// For a right-hand side of that norm, and an ordinary operator.
    pub(super) fn of(norm: f64, epsilon: f64) -> Self {
        Self {
            operator: 0,
            right: excess(norm, epsilon),
        }
    }

    /// The power of two of the operator, by a product of it.
    pub(super) fn of_product<V: VectorSpace>(
        &self,
        product: &V,
        v: &V,
        epsilon: f64,
    ) -> Result<i32, V::Error> {
        let length = v.norm()?;
        let size = product.norm()?;
        let power = exponent(size) - exponent(length);
        // The ratio itself may leave the range of `f64`.
        let is_ordinary = excess(2.0_f64.powi(power.clamp(-1000, 1000)), epsilon) == 0;
        Ok(if is_ordinary { 0 } else { power })
    }

    /// The solution of the system as it was given.
    pub(super) fn solution<V: VectorSpace>(&self, x: V) -> Result<V, V::Error> {
        let power = self.right - self.operator;
        if power == 0 {
            return Ok(x);
        }
        let size = x.norm()?;
        let x = raised(x, power);
        if x.norm()?.is_finite() {
            return Ok(x);
        }
        Err(KrylovFault::OutOfRange {
            name: "x",
            exponent: exponent(size) + power,
        }
        .into())
    }
}
