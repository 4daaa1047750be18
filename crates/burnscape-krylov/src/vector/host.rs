//! Vectors on the host.

use super::{VectorList, VectorSpace};
use crate::KrylovFault;

fn check(expected: usize, found: usize) -> Result<(), KrylovFault> {
    if expected == found {
        return Ok(());
    }
    Err(KrylovFault::DimensionMismatch { expected, found })
}

// Two instances of one text. A generic implementation would need a public trait of floats.
macro_rules! host_vector {
    ($float:ty) => {
        /// A vector on the host. Its space is its dimension; sums are in `f64`.
        impl VectorSpace for Vec<$float> {
            type Error = KrylovFault;
            type Space = usize;
            type Block = VectorList<Self>;

            fn space(&self) -> usize {
                self.len()
            }

            fn dimension(space: &usize) -> usize {
                *space
            }

            fn check_same(expected: &usize, found: &usize) -> Result<(), KrylovFault> {
                check(*expected, *found)
            }

            fn zeros(space: &usize) -> Result<Self, KrylovFault> {
                Ok(vec![0.0; *space])
            }

            fn from_host(space: &usize, values: &[f64]) -> Result<Self, KrylovFault> {
                check(*space, values.len())?;
                Ok(values.iter().map(|&value| value as $float).collect())
            }

            fn to_host(&self) -> Result<Vec<f64>, KrylovFault> {
                Ok(self.iter().map(|&value| f64::from(value)).collect())
            }

            fn epsilon(&self) -> f64 {
                f64::from(<$float>::EPSILON)
            }

            // Factors are rounded first, as a device does it with a scalar.
            fn axpy(mut self, a: f64, x: &Self) -> Result<Self, KrylovFault> {
                check(self.len(), x.len())?;
                let a = a as $float;
                for (y, &x) in self.iter_mut().zip(x) {
                    *y += a * x;
                }
                Ok(self)
            }

            fn scale(mut self, a: f64) -> Self {
                let a = a as $float;
                for y in &mut self {
                    *y *= a;
                }
                self
            }

            fn dot(&self, x: &Self) -> Result<f64, KrylovFault> {
                check(self.len(), x.len())?;
                let products = self.iter().zip(x);
                Ok(products.map(|(&y, &x)| f64::from(y) * f64::from(x)).sum())
            }

            fn max_abs(&self) -> Result<f64, KrylovFault> {
                let most = |most: f64, x: &$float| most.max(f64::from(x.abs()));
                Ok(self.iter().fold(0.0, most))
            }
        }
    };
}

host_vector!(f64);
host_vector!(f32);
