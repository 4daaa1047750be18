//! Random vectors for comparisons of derivatives.

use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

use super::stream;

/// Up to this length all numbers are drawn on the host.
pub(super) const SHORT: usize = 4096;

/// Random numbers with mean zero and variance one, uncorrelated, and the same on every device up to rounding.
///
/// A short vector is Gaussian. The entries of a longer one are products of the entries of two Gaussian vectors of about
/// `√len` numbers each, which alone are drawn on the host: a matrix of rank one, read row by row. It serves to
/// compare two derivatives: a nonzero linear or bilinear form vanishes on such vectors with probability zero, and its
/// mean square is that on independent numbers.
pub(crate) fn outer_gaussian(len: usize, seed: u64, device: &Device, dtype: DType) -> Tensor<1> {
    let place = (device, dtype);
    let data = |rng: StdRng, len: usize| {
        let numbers: Vec<f64> = StandardNormal.sample_iter(rng).take(len).collect();
        TensorData::new(numbers, [len])
    };
    if len <= SHORT {
        return Tensor::from_data(data(StdRng::seed_from_u64(seed), len), place);
    }
    let columns = (len as f64).sqrt().ceil() as usize;
    let rows = len.div_ceil(columns);
    let column = Tensor::<1>::from_data(data(stream(seed, 0), rows), place).reshape([rows, 1]);
    let row = Tensor::<1>::from_data(data(stream(seed, 1), columns), place).reshape([1, columns]);
    (column * row).reshape([rows * columns]).slice(0..len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_vectors_have_mean_zero_and_variance_one() {
        let len = 1_000_003;
        let vector = outer_gaussian(len, 7, &Device::default(), DType::F32);
        let values: Vec<f64> = vector.into_data().iter::<f64>().collect();
        assert_eq!(values.len(), len);
        let mean = values.iter().sum::<f64>() / len as f64;
        let square = values.iter().map(|x| x * x).sum::<f64>() / len as f64;
        // The root of the mean square of two times a thousand numbers.
        assert!(
            mean.abs() < 0.01 && (square - 1.0).abs() < 0.3,
            "{mean} {square}"
        );
        let again = outer_gaussian(len, 7, &Device::default(), DType::F32);
        assert_eq!(again.into_data().iter::<f64>().collect::<Vec<_>>(), values);
    }
}
