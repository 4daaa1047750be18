//! Vectors on the host.

use super::{Elementwise, VectorList, VectorSpace};
use crate::HostError;

fn check(expected: usize, found: usize) -> Result<(), HostError> {
    if expected == found {
        return Ok(());
    }
    Err(HostError::DimensionMismatch { expected, found })
}

// Two instances of one text. A generic implementation would need a public trait of floats.
macro_rules! host_vector {
    ($float:ty) => {
        /// A vector on the host. Its space is its dimension; sums are in `f64`.
        impl VectorSpace for Vec<$float> {
            type Error = HostError;
            type Space = usize;
            type Block = VectorList<Self>;

            fn space(&self) -> usize {
                self.len()
            }

            fn dimension(space: &usize) -> usize {
                *space
            }

            fn check_same(expected: &usize, found: &usize) -> Result<(), HostError> {
                check(*expected, *found)
            }

            fn zeros(space: &usize) -> Result<Self, HostError> {
                Ok(vec![0.0; *space])
            }

            fn from_host(space: &usize, values: &[f64]) -> Result<Self, HostError> {
                check(*space, values.len())?;
                Ok(values.iter().map(|&value| value as $float).collect())
            }

            fn to_host(&self) -> Result<Vec<f64>, HostError> {
                Ok(self.iter().map(|&value| f64::from(value)).collect())
            }

            fn epsilon(&self) -> f64 {
                f64::from(<$float>::EPSILON)
            }

            // Factors are rounded first, as a device does it with a scalar.
            fn axpy(mut self, a: f64, x: &Self) -> Result<Self, HostError> {
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

            fn dot(&self, x: &Self) -> Result<f64, HostError> {
                check(self.len(), x.len())?;
                let products = self.iter().zip(x);
                Ok(products.map(|(&y, &x)| f64::from(y) * f64::from(x)).sum())
            }

            fn max_abs(&self) -> Result<f64, HostError> {
                let most = |most: f64, x: &$float| most.max(f64::from(x.abs()));
                Ok(self.iter().fold(0.0, most))
            }
        }

        impl Elementwise for Vec<$float> {
            fn hadamard(mut self, x: &Self) -> Result<Self, HostError> {
                check(self.len(), x.len())?;
                for (y, &x) in self.iter_mut().zip(x) {
                    *y *= x;
                }
                Ok(self)
            }
        }
    };
}

host_vector!(f64);
host_vector!(f32);
