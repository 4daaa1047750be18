use nalgebra::DMatrix;

use super::Dense;

/// `(A + Aᵀ) / 2` of a square matrix.
pub(crate) fn symmetric_part(matrix: &Dense) -> DMatrix<f64> {
    let size = matrix.num_rows();
    let entry = |i: usize, j: usize| matrix.as_slice()[i * size + j];
    DMatrix::from_fn(size, size, |i, j| 0.5 * (entry(i, j) + entry(j, i)))
}
