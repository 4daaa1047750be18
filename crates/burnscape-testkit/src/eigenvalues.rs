use nalgebra::DMatrix;

/// The eigenvalues of a symmetric matrix, given row by row, in ascending order.
///
/// # Panics
///
/// If `entries` is no square.
pub fn eigenvalues(entries: &[f64]) -> Vec<f64> {
    let size = entries.len().isqrt();
    assert_eq!(size * size, entries.len(), "a square matrix");
    let matrix = DMatrix::from_row_slice(size, size, entries);
    let mut values: Vec<f64> = matrix.symmetric_eigenvalues().iter().copied().collect();
    values.sort_by(f64::total_cmp);
    values
}
