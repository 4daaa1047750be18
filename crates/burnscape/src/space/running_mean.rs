use burn::tensor::Tensor;

use super::{LeafVector, SpaceError};

/// A vector that can be moved towards another one.
pub(crate) trait Towards: Clone {
    /// `self − share · (self − other)`. Equal vectors stay as they are, to the sign of zeros.
    fn towards(&self, other: &Self, share: f64) -> Result<Self, SpaceError>;
}

impl Towards for Tensor<1> {
    fn towards(&self, other: &Self, share: f64) -> Result<Self, SpaceError> {
        if share == 1.0 {
            return Ok(other.clone());
        }
        Ok(self.clone() - (self.clone() - other.clone()) * share)
    }
}

impl Towards for LeafVector {
    fn towards(&self, other: &Self, share: f64) -> Result<Self, SpaceError> {
        if share == 1.0 {
            return Ok(other.clone());
        }
        let difference = self.axpby(1.0, -1.0, other)?;
        self.axpby(1.0, -share, &difference)
    }
}

/// The weighted mean of vectors that come one by one: `m ← m − w / W (m − x)` with `W` the sum of the weights so far.
///
/// The mean of equal vectors is that vector, bit by bit. Half-precision vectors have to be widened before: a mean of
/// many would stop moving.
#[derive(Debug, Clone)]
pub(crate) struct RunningMean<V> {
    mean: Option<V>,
    weight: f64,
}

impl<V: Towards> RunningMean<V> {
    pub(crate) fn new() -> Self {
        Self::resumed(None, 0.0)
    }

    /// A mean of vectors whose weights have this sum.
    pub(crate) fn resumed(mean: Option<V>, weight: f64) -> Self {
        Self { mean, weight }
    }

    /// Adds a vector, unless its weight is zero.
    pub(crate) fn add(&mut self, vector: V, weight: f64) -> Result<(), SpaceError> {
        if weight == 0.0 {
            return Ok(());
        }
        let total = self.weight + weight;
        let mean = match &self.mean {
            None => vector,
            Some(mean) => mean.towards(&vector, weight / total)?,
        };
        (self.mean, self.weight) = (Some(mean), total);
        Ok(())
    }

    pub(crate) fn mean(&self) -> Option<&V> {
        self.mean.as_ref()
    }

    pub(crate) fn into_mean(self) -> Option<V> {
        self.mean
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device};

    use super::*;

    fn tensor(values: &[f64]) -> Tensor<1> {
        Tensor::from_data(values, (&Device::default(), DType::F64))
    }

    fn mean(vectors: &[(&[f64], f64)]) -> Vec<f64> {
        let mut mean = RunningMean::new();
        for (vector, weight) in vectors {
            mean.add(tensor(vector), *weight).unwrap();
        }
        let mean = mean.into_mean().unwrap();
        mean.into_data().iter::<f64>().collect()
    }

    #[test]
    fn the_mean_is_weighted() {
        let found = mean(&[(&[4.0, 0.0], 1.0), (&[9.0, 9.0], 0.0), (&[0.0, 8.0], 3.0)]);
        assert_eq!(found, [1.0, 6.0]);
    }

    #[test]
    fn equal_vectors_keep_their_bits() {
        let numbers: &[f64] = &[0.1, -0.0, 0.0, -1e-308, 1e300, 1.0 / 3.0];
        let found = mean(&[(numbers, 0.3), (numbers, 0.7), (numbers, 11.0)]);
        let bits = |numbers: &[f64]| -> Vec<u64> { numbers.iter().map(|x| x.to_bits()).collect() };
        assert_eq!(bits(&found), bits(numbers));
    }
}
