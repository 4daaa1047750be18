//! Random vectors that are made on the device.

use burn::tensor::{DType, Device, Tensor, TensorData};
use rand_distr::{Distribution, StandardNormal};

use super::stream;

/// The products of the entries of two Gaussian vectors of about `√len` numbers each, which alone are drawn on the
/// host: a matrix of rank one, read row by row.
///
/// The entries are uncorrelated, with mean zero and variance one, and the same on every device up to rounding. They
/// serve to compare two derivatives: a nonzero linear or bilinear form vanishes on them with probability
/// zero, and its mean square is that on independent numbers.
pub(crate) fn outer_gaussian(len: usize, seed: u64, device: &Device, dtype: DType) -> Tensor<1> {
    let columns = (len as f64).sqrt().ceil().max(1.0) as usize;
    let rows = len.div_ceil(columns);
    let drawn = |len: usize, index: u64| {
        let numbers: Vec<f64> = StandardNormal
            .sample_iter(stream(seed, index))
            .take(len)
            .collect();
        TensorData::new(numbers, [len])
    };
    let column = Tensor::<1>::from_data(drawn(rows, 0), (device, dtype)).reshape([rows, 1]);
    let row = Tensor::<1>::from_data(drawn(columns, 1), (device, dtype)).reshape([1, columns]);
    (column * row).reshape([rows * columns]).slice(0..len)
}
