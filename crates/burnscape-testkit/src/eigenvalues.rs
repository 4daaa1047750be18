use nalgebra::DMatrix;

/// The ascending eigenvalues of a symmetric matrix in row-major order.
///
/// # Panics
///
/// If the matrix is not square.
pub fn eigenvalues(entries: &[f64]) -> Vec<f64> {
    let size = entries.len().isqrt();
    assert_eq!(size * size, entries.len(), "a square matrix");
    let matrix = DMatrix::from_row_slice(size, size, entries);
    let mut values: Vec<f64> = matrix.symmetric_eigenvalues().iter().copied().collect();
    values.sort_by(f64::total_cmp);
    values
}
